//go:build unix

package filestore_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/filestore"
)

func requireMode(t *testing.T, path string, mode fs.FileMode) {
	t.Helper()
	info, err := os.Lstat(path)
	require.NoError(t, err)
	require.Equal(t, mode, info.Mode(), path)
}

// Not parallel: the umask is the process's.
func TestT124_OnlyTheOwnerCanOpenTheFiles(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0))
	for _, mask := range []int{0, 0o022, 0o777} {
		syscall.Umask(mask)
		path := place(t)
		s := create(t, path)
		for range 2 {
			for _, file := range []string{path, path + ".lock"} {
				requireMode(t, file, 0o600)
			}
			insert(t, s, apiKey("a"))
			require.NoError(t, s.AddUsage(t.Context(), usedOnce("a")))
			requireMode(t, path+".usage", 0o600)
			require.NoError(t, s.Delete(t.Context(), "a", 0))
		}
	}
}

// os.WriteFile, and much else, leaves a file's mode as it was: what was 0644 stays so.
func TestT124_FileThatOthersCanOpen(t *testing.T) {
	t.Parallel()
	path, s, content, _ := small(t)
	for _, mode := range []fs.FileMode{0o644, 0o660, 0o604, 0o602, 0o620, 0o640, 0o610, 0o601, 0o777} {
		require.NoError(t, os.Chmod(path, mode))
		refusesf(t, path, filestore.ErrUnsafe, "%04o", mode)
		requireCannotAnswer(t, s, filestore.ErrUnsafe)
		_, err := s.Lookup(t.Context(), "a")
		require.ErrorContains(t, err, fmt.Sprintf("mode %04o", mode))
		require.ErrorContains(t, err, "chmod 600 "+path)
		require.Equal(t, content, read(t, path))
	}
	require.NoError(t, os.Chmod(path, 0o600))
	lookup(t, s, "a")
	insert(t, s, numbered(3))
	requireMode(t, path, 0o600)

	for _, sibling := range []string{path + ".lock", path + ".usage"} {
		require.NoError(t, s.AddUsage(t.Context(), usedOnce("a")))
		require.NoError(t, os.Chmod(sibling, 0o644))
		require.ErrorIs(t, s.AddUsage(t.Context(), usedOnce("a")), filestore.ErrUnsafe, sibling)
		require.NoError(t, os.Chmod(sibling, 0o600))
	}
}

func TestT124_NoRegularFile(t *testing.T) {
	t.Parallel()
	path, s, content, _ := small(t)
	moved := path + ".moved"
	require.NoError(t, os.Rename(path, moved))
	for desc, put := range map[string]func() error{
		"symbolic link to the file":  func() error { return os.Symlink(moved, path) },
		"symbolic link to nothing":   func() error { return os.Symlink(path+".nothing", path) },
		"symbolic link to itself":    func() error { return os.Symlink(path, path) },
		"directory":                  func() error { return os.Mkdir(path, 0o700) },
		"FIFO":                       func() error { return syscall.Mkfifo(path, 0o600) },
		"socket":                     func() error { return socket(path) },
		"hard link with two names":   func() error { return os.Link(moved, path) },
		"symbolic link to /dev/null": func() error { return os.Symlink(os.DevNull, path) },
	} {
		require.NoError(t, put(), desc)
		refusesf(t, path, filestore.ErrUnsafe, "%s", desc)
		requireCannotAnswer(t, s, filestore.ErrUnsafe)
		requireNoFile(t, path+".nothing")
		require.Equal(t, content, read(t, moved), desc)
		require.NoError(t, os.Remove(path))
	}
	require.NoError(t, os.Rename(moved, path))
	lookup(t, s, "a")
}

func socket(path string) error {
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(fd) //nolint:errcheck // nothing was sent
	// A socket's path is short; t.TempDir's is not.
	short, err := os.MkdirTemp("/tmp", "s")
	if err != nil {
		return err
	}
	defer os.RemoveAll(short) //nolint:errcheck // it is empty
	if err := syscall.Bind(fd, &syscall.SockaddrUnix{Name: short + "/s"}); err != nil {
		return err
	}
	return os.Rename(short+"/s", path)
}

// The names of the files beside it are the store's own, and are followed nowhere either.
func TestT124_SiblingIsALink(t *testing.T) {
	t.Parallel()
	for _, sibling := range []string{".lock", ".tmp", ".usage", ".usage.tmp"} {
		path := place(t)
		s := create(t, path)
		insert(t, s, apiKey("a"))
		victim := path + ".victim"
		write(t, victim, []byte("precious"))
		_ = os.Remove(path + sibling)
		require.NoError(t, os.Symlink(victim, path+sibling))
		_ = s.Insert(t.Context(), apiKey("b"), unlimited)
		_ = s.AddUsage(t.Context(), usedOnce("a"))
		require.Equal(t, "precious", string(read(t, victim)), sibling)
	}
}

func TestT124_DirectoryThatAnybodyCanWriteTo(t *testing.T) {
	t.Parallel()
	path, s, _, _ := small(t)
	dir := filepath.Dir(path)
	fresh := filepath.Join(dir, "fresh.json")

	require.NoError(t, os.Chmod(dir, 0o777))
	refusesf(t, path, filestore.ErrUnsafe, "anybody may replace the file")
	_, err := filestore.Open(path, filestore.Config{})
	require.ErrorContains(t, err, "chmod o-w "+dir)
	refusesf(t, fresh, nil, "no new one either")
	requireNoFile(t, fresh)
	lookup(t, s, "a") // Until the file changes, nobody looks.

	require.NoError(t, os.Chmod(dir, 0o777|fs.ModeSticky))
	open(t, path)
	create(t, fresh)
	require.NoError(t, os.Chmod(dir, 0o755))
	open(t, path)
}
