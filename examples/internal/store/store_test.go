package store_test

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/examples/internal/store"
	"github.com/claviger-go/claviger/keystore"
)

// open opens a store and Keys on it, until close or the test's end.
func open(t *testing.T, at string) (keys *keystore.Keys, closeAll func()) {
	t.Helper()
	s, err := store.Open(t.Context(), at)
	require.NoError(t, err)
	keys, err = keystore.New(s, keystore.Config{LookupTimeout: time.Minute})
	require.NoError(t, err)
	closeAll = sync.OnceFunc(func() {
		require.NoError(t, keys.Close())
		require.NoError(t, s.Close())
	})
	t.Cleanup(closeAll)
	return keys, closeAll
}

// remembers proves that at is one place, each time it is opened.
func remembers(t *testing.T, at string) {
	t.Helper()
	keys, closeAll := open(t, at)
	issued, err := keys.Issue(t.Context(), keystore.Spec{Owner: "acme"})
	require.NoError(t, err)
	closeAll()

	keys, closeAll = open(t, at)
	defer closeAll()
	principal, err := keys.Verify(t.Context(), issued.Credential.Reveal())
	require.NoError(t, err)
	require.Equal(t, "acme", principal.Owner())
}

// A path is taken literally, whatever its characters mean in a URL, and nobody else may read what is made there: the
// file of SQLite and those beside it as well.
func TestOpen_Paths(t *testing.T) {
	t.Parallel()
	names := []string{"keys", "my keys", "100%25", "a&b=c;d", "#1", "it's", "ключи", ":", "c:keys", "~", "+", "-"}
	for _, kind := range []string{"file:", "sqlite:"} {
		for _, name := range names {
			t.Run(kind+name, func(t *testing.T) {
				t.Parallel()
				if runtime.GOOS == "windows" && strings.Contains(name, ":") {
					t.Skip("a colon in a name is a stream on Windows")
				}
				dir := t.TempDir()
				path := filepath.Join(dir, name)
				remembers(t, kind+path)
				require.FileExists(t, path)

				_, closeAll := open(t, kind+path)
				defer closeAll()
				entries, err := os.ReadDir(dir)
				require.NoError(t, err)
				require.Greater(t, len(entries), 1, "files beside it")
				for _, entry := range entries {
					require.True(t, strings.HasPrefix(entry.Name(), name), entry.Name())
					info, err := entry.Info()
					require.NoError(t, err)
					if runtime.GOOS != "windows" {
						require.Equal(t, os.FileMode(0o600), info.Mode(), entry.Name())
					}
				}
			})
		}
	}
}

// A relative path is one from where the program was when it opened the store, also for connections made later.
func TestOpen_RelativePaths(t *testing.T) {
	for _, kind := range []string{"file:", "sqlite:"} {
		here, elsewhere := t.TempDir(), t.TempDir()
		require.NoError(t, os.Mkdir(filepath.Join(here, "sub"), 0o700))
		for _, path := range []string{"keys", "./keys2", "sub/keys", "sub/../keys3"} {
			t.Chdir(here)
			remembers(t, kind+path)
			require.FileExists(t, filepath.Join(here, path))

			keys, closeAll := open(t, kind+path)
			t.Chdir(elsewhere)
			var asking sync.WaitGroup
			for range 16 { // more than the connections that are open
				asking.Go(func() {
					page, err := keys.List(t.Context(), keystore.Filter{})
					if err != nil || len(page.Records) != 1 {
						t.Errorf("%s%s: %d records, %v", kind, path, len(page.Records), err)
					}
				})
			}
			asking.Wait()
			closeAll()
			entries, err := os.ReadDir(elsewhere)
			require.NoError(t, err)
			require.Empty(t, entries)
		}
	}
}

// Two processes that start at the same time on an empty place both get a store, and the same one.
func TestOpen_AtTheSameTime(t *testing.T) {
	t.Parallel()
	for _, place := range places[1:] {
		t.Run(place.kind, func(t *testing.T) {
			t.Parallel()
			at := place.url(t)
			var opening sync.WaitGroup
			for range 4 {
				opening.Go(func() {
					s, err := store.Open(t.Context(), at)
					if err != nil {
						t.Error(err)
						return
					}
					if err := s.Close(); err != nil {
						t.Error(err)
					}
				})
			}
			opening.Wait()
			remembers(t, at)
		})
	}
}

// awkward is a password of everything that means something in some URL or data source name.
const awkward = `p@s:s/w?o#r%d%20& =+;\"'()[é]`

// A password arrives as it is, and comes back in no error.
func TestOpen_Passwords(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ desc, password, written string }{
		{"encoded", awkward, strings.TrimPrefix(url.UserPassword("", awkward).String(), ":")},
		{"at signs as they are", "p@ss@word", "p@ss@word"},
	} {
		t.Run("mysql/"+tc.desc, func(t *testing.T) {
			t.Parallel()
			at, err := url.Parse(newDatabase(t))
			require.NoError(t, err)
			_, admin := mysqlAdmin(t)
			user := unique()
			literal := strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(tc.password)
			createPlace(t, admin, fmt.Sprintf("CREATE USER %s IDENTIFIED BY '%s'", user, literal), "DROP USER "+user)
			_, err = admin.ExecContext(t.Context(), fmt.Sprintf("GRANT ALL ON %s.* TO %s", strings.TrimPrefix(at.Path, "/"), user))
			require.NoError(t, err)

			remembers(t, "mysql://"+user+":"+tc.written+"@"+at.Host+at.Path)
			_, err = store.Open(t.Context(), "mysql://"+user+":"+tc.written+"x@"+at.Host+at.Path)
			require.ErrorContains(t, err, "store: cannot open mysql://"+at.Host+at.Path)
			require.ErrorContains(t, err, "Access denied")
			require.NotContains(t, err.Error(), tc.password)
			require.NotContains(t, err.Error(), tc.written)
		})
		t.Run("redis/"+tc.desc, func(t *testing.T) {
			t.Parallel()
			at, err := url.Parse(newNumber(t))
			require.NoError(t, err)
			admin := redis.NewClient(&redis.Options{Addr: at.Host})
			defer func() { _ = admin.Close() }()
			user := unique()
			require.NoError(t, admin.Do(t.Context(), "ACL", "SETUSER", user, "on", ">"+tc.password, "~*", "&*", "+@all").Err())
			defer func() { require.NoError(t, admin.Do(t.Context(), "ACL", "DELUSER", user).Err()) }()

			remembers(t, "redis://"+user+":"+tc.written+"@"+at.Host+at.Path)
			_, err = store.Open(t.Context(), "redis://"+user+":"+tc.written+"x@"+at.Host+at.Path)
			require.ErrorContains(t, err, "store: cannot open redis://"+at.Host+at.Path)
			require.ErrorContains(t, err, "WRONGPASS")
			require.NotContains(t, err.Error(), tc.password)
			require.NotContains(t, err.Error(), tc.written)
		})
		t.Run("postgres/"+tc.desc, func(t *testing.T) { // the usual server trusts everybody, and asks for no password
			t.Parallel()
			at, said := asksForPassword(t)
			_, err := store.Open(t.Context(), "postgresql://app:"+tc.written+"@"+at+"/app?sslmode=disable")
			require.ErrorContains(t, err, "store: cannot open postgresql://"+at+"/app")
			require.ErrorContains(t, err, "this is not it")
			require.NotContains(t, err.Error(), tc.password)
			require.NotContains(t, err.Error(), tc.written)
			require.Equal(t, tc.password, <-said)
		})
	}
}

// asksForPassword speaks as much of PostgreSQL's protocol as it takes to be told a password.
func asksForPassword(t *testing.T) (address string, said <-chan string) {
	t.Helper()
	listener := listen(t)
	passwords := make(chan string, 16) // one for each connection that is tried
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			server := pgproto3.NewBackend(conn, conn)
			_, _ = server.ReceiveStartupMessage()
			server.Send(&pgproto3.AuthenticationCleartextPassword{})
			_ = server.Flush()
			_ = server.SetAuthType(pgproto3.AuthTypeCleartextPassword)
			message, _ := server.Receive()
			if answer, ok := message.(*pgproto3.PasswordMessage); ok {
				passwords <- answer.Password
			}
			server.Send(&pgproto3.ErrorResponse{Severity: "FATAL", Code: "28P01", Message: "this is not it"})
			_ = server.Flush()
			_ = conn.Close()
		}
	}()
	return listener.Addr().String(), passwords
}

// rediss:// says nothing in clear.
func TestOpen_TLS(t *testing.T) {
	t.Parallel()
	listener := listen(t)
	first := make(chan byte, 1)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			var b [1]byte
			if _, err := conn.Read(b[:]); err == nil {
				select {
				case first <- b[0]:
				default:
				}
			}
			_ = conn.Close()
		}
	}()
	_, err := store.Open(t.Context(), "rediss://:correct-horse@"+listener.Addr().String())
	require.ErrorContains(t, err, "store: cannot open rediss://"+listener.Addr().String())
	require.NotContains(t, err.Error(), "correct-horse")
	require.Equal(t, byte(22), <-first, "a TLS handshake, RFC 8446 section 5.1")
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	return listener
}
