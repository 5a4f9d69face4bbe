package bboltstore

import (
	"path/filepath"
	"testing"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/keystore/storetest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(tb testing.TB) (store, other keystore.KeyStore) {
		tb.Helper()
		s, err := Open(filepath.Join(tb.TempDir(), "keys.db"))
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() { _ = s.Close() })
		s.db.NoSync = true // no power fails here, and 36,000 syncs take minutes on a busy disk
		return s, s        // the file can be open only once
	}, storetest.Config{AdminStore: true})
}
