package filestore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/filestore"
	"github.com/claviger-go/claviger/keystore"
)

func systemJobs() map[string]job {
	return map[string]job{"full": writeWhenFull, "readonly": writeWhereNobodyMay, "adopt": writeAsRoot}
}

// writeWhenFull limits how large a file can become, byte by byte up to what is needed: each write is cut short at another
// place.
func writeWhenFull(ctx context.Context, s *filestore.Store, path string, _ []string, _ io.Writer) error {
	signal.Ignore(syscall.SIGXFSZ)
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	for limit := range content {
		full := syscall.Rlimit{Cur: uint64(limit), Max: ^uint64(0)}
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &full); err != nil {
			return err
		}
		for name, err := range map[string]error{
			"Insert": s.Insert(ctx, numbered(7), unlimited),
			"Update": s.Update(ctx, apiKey("a", revoked)),
		} {
			if !errors.Is(err, syscall.EFBIG) || !strings.Contains(fmt.Sprint(err), "nothing is changed") {
				return fmt.Errorf("%s with room for %d bytes: %w", name, limit, err)
			}
		}
		if _, err := s.Lookup(ctx, numbered(7).ID); !errors.Is(err, keystore.ErrNotFound) {
			return fmt.Errorf("with room for %d bytes an Insert that failed has happened: %w", limit, err)
		}
		if r, err := s.Lookup(ctx, "a"); err != nil || r.Version != 1 {
			return fmt.Errorf("with room for %d bytes an Update that failed has happened: %w", limit, err)
		}
		if _, err := os.Lstat(path + ".tmp"); err == nil {
			return fmt.Errorf("with room for %d bytes a draft is left behind", limit)
		}
	}
	if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, content) {
		return fmt.Errorf("the file has changed: %w", err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: ^uint64(0), Max: ^uint64(0)}); err != nil {
		return err
	}
	return s.Update(ctx, apiKey("a", revoked))
}

// T-124, R-08.
func TestT124_DiskFull(t *testing.T) {
	t.Parallel()
	path := place(t)
	s := create(t, path)
	insert(t, s, numbered(1), apiKey("a"))
	begin(t, "full", path).finish(t)
	require.Equal(t, apiKey("a", revoked, version(2)), lookup(t, s, "a"), "with room again, it works again")
}

const nobody = 65534

// tree makes a directory with a store that belongs to nobody, on a path that nobody may walk.
func tree(t *testing.T, mode os.FileMode) (path string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can act as several users")
	}
	dir, err := os.MkdirTemp("/tmp", "filestore") //nolint:usetesting // only root may walk t.TempDir
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o755))
	path = filepath.Join(dir, "service", "keys.json")
	require.NoError(t, os.Mkdir(filepath.Dir(path), 0o700))
	s := create(t, path)
	insert(t, s, apiKey("a"))
	require.NoError(t, s.AddUsage(t.Context(), usedOnce("a")))
	for _, suffix := range []string{"", ".lock", ".usage"} {
		require.NoError(t, os.Chown(path+suffix, nobody, nobody))
	}
	require.NoError(t, os.Chown(filepath.Dir(path), nobody, nobody))
	require.NoError(t, os.Chmod(filepath.Dir(path), mode))
	return path
}

// writeWhereNobodyMay reads as nobody, and cannot write.
func writeWhereNobodyMay(ctx context.Context, _ *filestore.Store, path string, _ []string, _ io.Writer) error {
	if err := syscall.Setuid(nobody); err != nil {
		return err
	}
	s, err := filestore.Open(path, filestore.Config{}) //nolint:contextcheck // Open takes none
	if err != nil {
		return err
	}
	for name, err := range map[string]error{
		"Insert":   s.Insert(ctx, apiKey("b"), unlimited),
		"Update":   s.Update(ctx, apiKey("a", revoked)),
		"Delete":   s.Delete(ctx, "a", 0),
		"AddUsage": s.AddUsage(ctx, usedOnce("a")),
	} {
		if !errors.Is(err, os.ErrPermission) {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if r, err := s.Lookup(ctx, "a"); err != nil || r.Version != 1 {
		return fmt.Errorf("version %d: %w", r.Version, err)
	}
	_, err = s.Usage(ctx, []string{"a"})
	return err
}

func TestT124_ReadOnlyDirectory(t *testing.T) {
	t.Parallel()
	path := tree(t, 0o500)
	before := read(t, path)
	begin(t, "readonly", path).finish(t)
	require.Equal(t, before, read(t, path))
}

// writeAsRoot does what an operator does with sudo, and then what the service does.
func writeAsRoot(ctx context.Context, s *filestore.Store, path string, _ []string, _ io.Writer) error {
	err := errors.Join(s.Insert(ctx, apiKey("b"), unlimited), s.AddUsage(ctx, usedOnce("b")), syscall.Setuid(nobody))
	if err != nil {
		return err
	}
	s, err = filestore.Open(path, filestore.Config{}) //nolint:contextcheck // Open takes none
	if err != nil {
		return err
	}
	return errors.Join(s.Insert(ctx, apiKey("c"), unlimited), s.AddUsage(ctx, usedOnce("c")))
}

// An operator who revokes a key as root must not take the file away from the service.
func TestRootKeepsTheOwner(t *testing.T) {
	t.Parallel()
	path := tree(t, 0o700)
	require.NoError(t, os.Remove(path+".lock"))
	require.NoError(t, os.Remove(path+".usage"))
	begin(t, "adopt", path).finish(t)
	for _, id := range []string{"a", "b", "c"} {
		lookup(t, open(t, path), id)
	}
}

// Somebody else may have been first in /tmp.
func TestT124_StrangersFileInStickyDirectory(t *testing.T) {
	t.Parallel()
	path := tree(t, 0o777|os.ModeSticky)
	refusesf(t, path, filestore.ErrUnsafe, "planted by another user")
	require.NoError(t, os.Chown(path, 0, 0))
	open(t, path)
}
