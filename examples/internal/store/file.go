package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"modernc.org/sqlite"

	"github.com/claviger-go/claviger/adapters/filestore"
	"github.com/claviger-go/claviger/adapters/sqlstore"
)

func openFile(path string) (*Store, error) {
	if err := checkPath("file:", path); err != nil {
		return nil, err
	}
	records, err := filestore.Open(path, filestore.Config{Create: true})
	if err != nil {
		return nil, err
	}
	return &Store{records, nothing}, nil
}

// settings are those that sqlstore asks for.
const settings = "_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)"

func openSQLite(ctx context.Context, path string) (*Store, error) {
	if err := checkPath("sqlite:", path); err != nil {
		return nil, err
	}
	s, err := sqliteAt(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("store: sqlite:%s: %w", path, err)
	}
	return s, nil
}

func sqliteAt(ctx context.Context, path string) (*Store, error) {
	path, err := filepath.Abs(path) // each new connection opens it again, from wherever the program then is
	if err != nil {
		return nil, err
	}
	if err := create(path); err != nil {
		return nil, err
	}
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // C:/keys.db is file:///C:/keys.db
	}
	name := url.URL{Scheme: "file", Path: path, RawQuery: settings}
	connector, err := sqlite.NewConnector(name.String())
	if err != nil {
		return nil, err
	}
	return openSQL(ctx, connector, polling(sqlstore.SQLite))
}

// create makes the file, if it is not there, for nobody else to read: SQLite would ask the umask. Its other files get the
// mode of this one.
func create(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the operator's path
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil
	case err != nil:
		return err
	}
	return file.Close()
}

// checkPath refuses what means something else to some other program, and would be a file of a surprising name here.
func checkPath(kind, path string) error {
	switch {
	case path == "":
		return fmt.Errorf("store: %s is followed by a path: want %[1]skeys or the like", kind)
	case path == ":memory:":
		return fmt.Errorf("store: %s:memory: is no file: want memory: for keys that go with the process", kind)
	case strings.HasPrefix(path, "//"):
		return fmt.Errorf("store: %s is followed by a path, without //: want %[1]skeys for one from here, %[1]s/var/lib/keys for one from the root", kind)
	case strings.Contains(path, "?"):
		return fmt.Errorf("store: %s takes no settings: leave out the question mark and what follows it", kind)
	}
	if dir := filepath.Dir(path); !exists(dir) {
		return fmt.Errorf("store: %s%s: there is no directory %s: make it, or correct the path", kind, path, dir)
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
