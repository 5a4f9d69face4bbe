package store_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/examples/internal/store"
)

// secret is the password of every URL below that has one, encoded or not.
const secret = "correct-horse"

const (
	wantStore    = "want memory:, file:PATH, sqlite:PATH, postgres://…, mysql://…, redis://… or rediss://…"
	wantPostgres = "store: this is no URL of postgres: want postgres://USER:PASSWORD@HOST:PORT/DATABASE, with %40 for @ in the password, " +
		"%3A for :, %2F for /, %3F for ?, %23 for # and %25 for %"
	ask = " (does it run there, and know this user, password and database?): "
)

// A wrong URL is told what is wrong with it and what to write instead, before anything is opened, and no word of a password
//
func TestOpen_WrongURLs(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ url, want string }{
		{"", "store: this is no URL of a store: " + wantStore},
		{"keys.json", "store: this is no URL of a store: " + wantStore},
		{`C:\keys.json`, "store: this is no URL of a store: " + wantStore},
		{"mongodb://app:correct-horse@db", "store: there is none called mongodb: " + wantStore},
		{"app:correct-horse@tcp(db)/app", "store: there is none called app: " + wantStore},
		{"host=db password=correct-horse", "store: this is no URL of a store: " + wantStore},
		{"host=db password=correct-horse:1", "store: this is no URL of a store: " + wantStore},
		{"memory:keys", "store: memory: stands alone, since nothing outlives the process; to keep keys, take file:PATH"},

		{"file:", "store: file: is followed by a path: want file:keys or the like"},
		{"sqlite:", "store: sqlite: is followed by a path: want sqlite:keys or the like"},
		{"sqlite::memory:", "store: sqlite::memory: is no file: want memory: for keys that go with the process"},
		{"file:///var/lib/keys.json", "store: file: is followed by a path, without //: want file:keys for one from here, file:/var/lib/keys for one from the root"},
		{"sqlite:///keys.db", "store: sqlite: is followed by a path, without //: want sqlite:keys for one from here, sqlite:/var/lib/keys for one from the root"},
		{"sqlite:keys.db?_pragma=synchronous(OFF)", "store: sqlite: takes no settings: leave out the question mark and what follows it"},
		{"file:nowhere/keys.json", "store: file:nowhere/keys.json: there is no directory nowhere: make it, or correct the path"},
		{"sqlite:nowhere/keys.db", "store: sqlite:nowhere/keys.db: there is no directory nowhere: make it, or correct the path"},
		{"sqlite:.", "store: sqlite:.: sqlstore: migrating: unable to open database file (14)"},
		{"file:.", `filestore: the path "." names no file`},

		{"postgres:app", wantPostgres},
		{"postgres:/app", wantPostgres},
		{"postgres://app:correct-horse/@db/app", wantPostgres},
		{"postgres://app:1/correct-horse@db/app", wantPostgres},
		{"postgres://app:1?correct-horse@db/app", wantPostgres},
		{"postgres://app:1#correct-horse@db/app", wantPostgres},
		{"postgres://app:a@1/correct-horse@db/app", wantPostgres},
		{"postgres://app:correct-horse%zz@db/app", wantPostgres},
		{"postgres://app:correct-horse %@db/app", wantPostgres},
		{"postgres://app:correct-horse@db:x/app", wantPostgres},
		{"postgres://app:correct-horse@db\n/app", wantPostgres},
		{
			"postgres://app:correct-horse@db/app?sslmode=on&password=correct-horse&sslpassword=correct-horse",
			"store: the URL of postgres://db/app has to be corrected: cannot parse " +
				"`postgres://app:xxxxx@db/app?sslmode=on&password=xxxxx&sslpassword=xxxxx`: failed to configure TLS (sslmode is invalid)",
		},
		{"mysql://app:correct-horse@db", "store: the URL of mysql://db has to be corrected: it has to name a host and a database"},
		{"mysql://app:correct-horse@/app", "store: the URL of mysql:///app has to be corrected: it has to name a host and a database"},
		{"mysql://app:correct-horse@db/app?tls=on", "store: the URL of mysql://db/app has to be corrected: invalid value / unknown config name: on"},
		{"redis://:correct-horse@db/app", `store: the URL of redis://db/app has to be corrected: redis: invalid database number: "app"`},
		{"redis://correct-horse@db/1?ttl=1", "store: the URL of redis://db/1 has to be corrected: redis: unexpected option: ttl"},
	} {
		t.Run(tc.url, func(t *testing.T) {
			t.Parallel()
			_, err := store.Open(t.Context(), tc.url)
			require.EqualError(t, err, tc.want)
			require.NotContains(t, err.Error(), secret)
		})
	}
}

// A server that cannot be asked is told from one that says no, and from one that must not keep keys.
func TestOpen_Servers(t *testing.T) {
	t.Parallel()
	listener := listen(t)
	nobody := listener.Addr().String()
	require.NoError(t, listener.Close())

	for _, tc := range []struct{ url, place, reason string }{
		{"postgres://app:correct-horse@" + nobody + "/app", "postgres://" + nobody + "/app", "connection refused"},
		{"mysql://app:correct-horse@" + nobody + "/app", "mysql://" + nobody + "/app", "connection refused"},
		{"redis://app:correct-horse@" + nobody + "/1", "redis://" + nobody + "/1", "connection refused"},
	} {
		_, err := store.Open(t.Context(), tc.url)
		require.ErrorContains(t, err, "store: cannot open "+tc.place+ask)
		require.ErrorContains(t, err, tc.reason)
		require.NotContains(t, err.Error(), secret)
	}
}

// What a server or a file says for itself comes through.
func TestOpen_Refused(t *testing.T) {
	t.Parallel()
	t.Run("postgres with settings that lose commits", func(t *testing.T) {
		t.Parallel()
		at := newSchema(t)
		_, err := store.Open(t.Context(), at+"&synchronous_commit=off")
		require.ErrorContains(t, err, " is not set up to keep keys: sqlstore: synchronous_commit is off: want on")
	})
	t.Run("a postgres that only reads", func(t *testing.T) {
		t.Parallel()
		at := newSchema(t)
		_, err := store.Open(t.Context(), at+"&default_transaction_read_only=on")
		require.ErrorContains(t, err, "read only connection")
	})
	t.Run("mysql without the database", func(t *testing.T) {
		t.Parallel()
		_, err := store.Open(t.Context(), newDatabase(t)+"x")
		require.ErrorContains(t, err, ask+"sqlstore: migrating: Error 1049 (42000): Unknown database")
	})
	t.Run("redis without the database", func(t *testing.T) {
		t.Parallel()
		_, err := store.Open(t.Context(), newNumber(t)+"999")
		require.ErrorContains(t, err, "DB index is out of range")
	})
	t.Run("a file of something else", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "keys")
		require.NoError(t, os.WriteFile(path, []byte("dear diary, today nothing happened again"), 0o600))
		_, err := store.Open(t.Context(), "sqlite:"+path)
		require.ErrorContains(t, err, "store: sqlite:"+path+": sqlstore: migrating: file is not a database")
		_, err = store.Open(t.Context(), "file:"+path)
		require.ErrorContains(t, err, "filestore: "+path+" is damaged")
	})
}
