package filestore

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
)

func newStore(t *testing.T) *Store {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o700)) // whatever the umask is
	s, err := Open(filepath.Join(dir, "keys.json"), Config{Create: true})
	require.NoError(t, err)
	return s
}

func bare(id string) keystore.Record { return keystore.Record{ID: id, Version: 1} }

// An operator who puts another file in the place takes no lock. What he does is neither overwritten unread, nor lost.
func TestMutateWhenOvertaken(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	times := 0
	mutate := func(byHand func()) error {
		times = 0
		return s.mutate(t.Context(), func(base *snapshot) (*snapshot, error) {
			times++
			byHand()
			e, err := encode(bare("ours"))
			return base.edit(nil, e), err
		})
	}
	put := func(id string) {
		data, err := os.ReadFile(s.path)
		require.NoError(t, err)
		sn, err := parse(data, nil)
		require.NoError(t, err)
		e, err := encode(bare(id))
		require.NoError(t, err)
		f, err := os.Create(s.path + ".hand")
		require.NoError(t, err)
		require.NoError(t, f.Chmod(0o600))
		require.NoError(t, sn.edit(nil, e).write(f))
		require.NoError(t, f.Close())
		require.NoError(t, os.Rename(f.Name(), s.path))
	}
	err := mutate(func() { put("theirs" + string(rune('a'+len(s.current.Load().byID)))) })
	require.ErrorIs(t, err, errOvertaken)
	require.Equal(t, mutateAttempts, times)
	require.NoFileExists(t, s.path+".tmp")
	require.Len(t, s.current.Load().byID, mutateAttempts-1, "the last one has not been looked at")
	_, err = s.Lookup(t.Context(), "ours")
	require.ErrorIs(t, err, keystore.ErrNotFound)

	err = mutate(func() {
		if times == 1 {
			put("once")
		}
	})
	require.NoError(t, err)
	for _, id := range []string{"theirsa", "theirsb", "theirsc", "once", "ours"} {
		_, err := s.Lookup(t.Context(), id)
		require.NoError(t, err, id)
	}
}

// A file whose stat is as it was is not read, whether it was good or bad.
func TestNothingIsReadTwice(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	require.NoError(t, s.Insert(t.Context(), bare("a"), keystore.Quota{}))
	good, err := os.ReadFile(s.path)
	require.NoError(t, err)
	put := func(data []byte) {
		info, err := os.Stat(s.path)
		require.NoError(t, err)
		f, err := os.OpenFile(s.path, os.O_WRONLY, 0)
		require.NoError(t, err)
		_, err = f.WriteAt(data, 0)
		require.NoError(t, err)
		require.NoError(t, f.Close())
		require.NoError(t, os.Chtimes(s.path, info.ModTime(), info.ModTime()))
	}
	bad := append([]byte{}, good...)
	bad[len(bad)/2] ^= 1

	put(bad)
	_, err = s.Lookup(t.Context(), "a")
	require.NoError(t, err)

	s.current.Store(newSnapshot(0))
	s.current.Load().info, err = os.Stat(filepath.Dir(s.path))
	require.NoError(t, err)
	_, err = s.Lookup(t.Context(), "a")
	require.ErrorIs(t, err, ErrDamaged)
	put(good)
	_, again := s.Lookup(t.Context(), "a")
	require.Same(t, err, again)
}
