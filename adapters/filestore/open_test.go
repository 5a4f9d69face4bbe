package filestore_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/filestore"
	"github.com/claviger-go/claviger/keystore"
)

func requireNoFile(t *testing.T, path string) {
	t.Helper()
	_, err := os.Lstat(path)
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestOpen_MissingFile(t *testing.T) {
	t.Parallel()
	path := place(t)
	_, err := filestore.Open(path, filestore.Config{})
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NotErrorIs(t, err, keystore.ErrNotFound)
	require.ErrorContains(t, err, "correct the path, or set Config.Create")
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Empty(t, entries, "a mistyped path leaves nothing behind")

	insert(t, create(t, path), apiKey("a"))
	require.Equal(t, apiKey("a"), lookup(t, open(t, path), "a"))
	require.Equal(t, apiKey("a"), lookup(t, create(t, path), "a"), "Create leaves what exists alone")
}

func TestOpen_MissingDirectory(t *testing.T) {
	t.Parallel()
	path := filepath.Join(filepath.Dir(place(t)), "typo", "keys.json")
	_, err := filestore.Open(path, filestore.Config{Create: true})
	require.ErrorIs(t, err, fs.ErrNotExist)
	requireNoFile(t, filepath.Dir(path))
}

// Config.Create is left set in many a program, and must not turn a lost file into an empty store.
func TestT124_VanishedBeforeOpen(t *testing.T) {
	t.Parallel()
	path := place(t)
	insert(t, create(t, path), apiKey("a"))
	require.NoError(t, os.Rename(path, path+".moved"))
	for _, config := range []filestore.Config{{}, {Create: true}} {
		_, err := filestore.Open(path, config)
		require.ErrorIs(t, err, filestore.ErrDamaged)
		require.ErrorIs(t, err, fs.ErrNotExist)
		require.ErrorContains(t, err, "is gone, and was here at generation 2")
		requireNoFile(t, path)
	}
	require.NoError(t, os.Rename(path+".moved", path))
	require.Equal(t, apiKey("a"), lookup(t, open(t, path), "a"))

	// As the error says.
	require.NoError(t, os.Remove(path))
	require.NoError(t, os.Remove(path+".lock"))
	_, err := create(t, path).Lookup(t.Context(), "a")
	require.ErrorIs(t, err, keystore.ErrNotFound)
}

func TestT124_VanishedWhileOpen(t *testing.T) {
	t.Parallel()
	path := place(t)
	s := create(t, path)
	insert(t, s, apiKey("a"))
	content := read(t, path)
	require.NoError(t, os.Remove(path))

	requireCannotAnswer(t, s, filestore.ErrDamaged)
	requireNoFile(t, path)

	write(t, path, content)
	require.Equal(t, apiKey("a"), lookup(t, s, "a"))
	insert(t, s, apiKey("b"))

	// Another store in its place is none.
	require.NoError(t, os.Remove(path))
	require.NoError(t, os.Remove(path+".lock"))
	create(t, path)
	requireCannotAnswer(t, s, filestore.ErrDamaged)
}

// requireCannotAnswer wants an error of that kind from every method, and none that is a definite answer.
func requireCannotAnswer(t *testing.T, s *filestore.Store, kind error) {
	t.Helper()
	check := func(err error) {
		t.Helper()
		require.ErrorIs(t, err, kind)
		for _, answer := range []error{
			keystore.ErrNotFound, keystore.ErrExists, keystore.ErrQuota, keystore.ErrConflict, keystore.ErrRevoked,
		} {
			require.NotErrorIs(t, err, answer)
		}
	}
	r, err := s.Lookup(t.Context(), "a")
	check(err)
	require.Zero(t, r)
	page, err := s.List(t.Context(), keystore.Filter{})
	check(err)
	require.Zero(t, page)
	check(s.Insert(t.Context(), apiKey("another"), unlimited))
	check(s.Update(t.Context(), apiKey("a")))
	check(s.Delete(t.Context(), "a", 0))
	check(s.AddUsage(t.Context(), []keystore.Usage{{ID: "a", Count: 1}}))
	told := 0
	check(s.Watch(t.Context(), func(ids ...string) {
		require.Empty(t, ids)
		told++
	}))
	require.Equal(t, 1, told)
}

// A copy from before a revocation would bring the key back.
func TestT124_OlderCopy(t *testing.T) {
	t.Parallel()
	path := place(t)
	s := create(t, path)
	insert(t, s, apiKey("a"))
	backup := read(t, path)
	require.NoError(t, s.Update(t.Context(), apiKey("a", revoked)))
	current := read(t, path)

	write(t, path, backup)
	requireCannotAnswer(t, s, filestore.ErrDamaged)
	_, err := filestore.Open(path, filestore.Config{Create: true})
	require.ErrorIs(t, err, filestore.ErrDamaged)
	require.ErrorContains(t, err, "is at generation 2, and generation 3 was here")
	require.Equal(t, backup, read(t, path), "nothing was written over it")

	write(t, path, current)
	require.Equal(t, apiKey("a", revoked, version(2)), lookup(t, s, "a"))

	// As the error says.
	write(t, path, backup)
	require.NoError(t, os.Remove(path+".lock"))
	require.Equal(t, apiKey("a"), lookup(t, open(t, path), "a"))
}

// Taken by one process before another one put the older copy there.
func TestT124_OlderCopyUnderTheLock(t *testing.T) {
	t.Parallel()
	path := place(t)
	s := create(t, path)
	insert(t, s, apiKey("a"))
	stale := open(t, path)
	lock := read(t, path+".lock")
	insert(t, s, apiKey("b"))
	backup := read(t, path)
	require.NoError(t, s.Update(t.Context(), apiKey("a", revoked)))
	newer := read(t, path+".lock")

	write(t, path, backup)
	write(t, path+".lock", lock)
	require.Equal(t, apiKey("a"), lookup(t, stale, "a"), "it knows no better")
	write(t, path+".lock", newer)
	require.ErrorIs(t, stale.Update(t.Context(), apiKey("a")), filestore.ErrDamaged)
	require.Equal(t, backup, read(t, path))
}

func TestOpen_Config(t *testing.T) {
	t.Parallel()
	path := place(t)
	for _, interval := range []time.Duration{-1, time.Millisecond - 1, time.Hour + 1} {
		_, err := filestore.Open(path, filestore.Config{Create: true, WatchInterval: interval})
		var mistake *keystore.ConfigError
		require.ErrorAs(t, err, &mistake)
		require.Equal(t, interval, mistake.Value)
	}
	requireNoFile(t, path)
}

func TestOpen_PathWithoutName(t *testing.T) {
	t.Parallel()
	dir := filepath.Dir(place(t))
	for _, path := range []string{"", ".", "..", "/", dir + "/", dir + "/.", dir + "/.."} {
		_, err := filestore.Open(path, filestore.Config{Create: true})
		require.ErrorContains(t, err, "names no file", "%q", path)
	}
	_, err := filestore.Open(dir+"/a\x00b", filestore.Config{Create: true})
	require.Error(t, err)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)
}

// Not parallel: it changes the working directory.
func TestT124_PathsToTheSameFile(t *testing.T) {
	path := place(t)
	dir := filepath.Dir(path)
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "deep", "er"), 0o700))
	t.Chdir(dir)
	relative := create(t, "keys.json")
	insert(t, relative, apiKey("a"))
	paths := []string{path, "./keys.json", "deep/../keys.json", filepath.Join(dir, "deep") + "/er/../../keys.json"}
	if os.Symlink(filepath.Join("deep", "er"), "link") == nil {
		// Cleaned, this would be keys.json; the kernel finds it in deep.
		insert(t, create(t, "link/../keys.json"), apiKey("elsewhere"))
		paths = append(paths, "link/../../keys.json")
		require.FileExists(t, "deep/keys.json")
	}
	t.Chdir(t.TempDir())
	for _, p := range paths {
		if !filepath.IsAbs(p) {
			p = dir + "/" + p
		}
		s := open(t, p)
		require.Equal(t, apiKey("a"), lookup(t, s, "a"), p)
		_, err := s.Lookup(t.Context(), "elsewhere")
		require.ErrorIs(t, err, keystore.ErrNotFound)
	}
	insert(t, relative, apiKey("b"))
	require.Equal(t, apiKey("b"), lookup(t, open(t, path), "b"), "a relative path stays where it was at Open")
}
