package filestore_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/filestore"
	"github.com/claviger-go/claviger/adapters/filestore/internal/disk"
	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/keystore/storetest"
)

// quickPlace is in memory, if there is such a file system: a thousand versions fit into a tick of its clock, which is
// harder on the store than a disk, and takes less time.
func quickPlace(tb testing.TB) string {
	tb.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "filestore") //nolint:usetesting // that is elsewhere
	if err != nil {
		return place(tb)
	}
	tb.Cleanup(func() { require.NoError(tb, os.RemoveAll(dir)) })
	return filepath.Join(dir, "keys.json")
}

// pair is two handles on a new file, as two processes have them.
func pair(tb testing.TB) (store, other keystore.KeyStore) { //nolint:ireturn // as storetest asks
	tb.Helper()
	path := quickPlace(tb)
	config := filestore.Config{Create: true, WatchInterval: 10 * time.Millisecond}
	first, err := filestore.Open(path, config)
	require.NoError(tb, err)
	second, err := filestore.Open(path, config)
	require.NoError(tb, err)
	return first, second
}

var suite = storetest.Config{
	AdminStore: true, Watcher: true, UsageStore: true,
	Seed: func(tb testing.TB, store keystore.KeyStore, records []keystore.Record) []keystore.Record {
		tb.Helper()
		require.NoError(tb, store.(*filestore.Store).Fill(tb.Context(), records))
		return records
	},
	Hang: func(tb testing.TB, store keystore.KeyStore) func() {
		tb.Helper()
		lock, err := disk.Acquire(tb.Context(), store.(*filestore.Store).Path()+".lock", nil)
		require.NoError(tb, err)
		return lock.Release
	},
}

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, pair, suite)
}
