package storetest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/claviger-go/claviger/keystore"
)

// Factory makes an empty place for records and opens two handles on it, as two
// processes would. It is called once for each case, in the case's goroutine, and
// no two places may share a record: each is a file, a schema or a key prefix of
// its own. What has to be closed or removed goes to tb.Cleanup.
//
// A store that lives in one process returns the same handle twice. So does one
// whose place can be opened only once; that it works across processes is then
// not proven.
type Factory func(tb testing.TB) (store, other keystore.KeyStore)

// Config says what the store is. The zero value is a read-only store and lacks
// its Seed.
type Config struct {
	_ struct{}

	// AdminStore, Watcher, UsageStore and RateStore say which capabilities the store
	// has besides Lookup. One that is missing fails, since Keys would quietly do
	// without it, and so does one that is not declared, since it would go
	// untested. Defaults to none.
	AdminStore, Watcher, UsageStore, RateStore bool

	// Seed puts records into the place behind store and returns them in the same
	// order as Lookup has to answer them. A read-only store over somebody's own
	// table leaves out the records whose id that table cannot hold, and of the
	// others the fields that it cannot hold.
	//
	// It is required without AdminStore. With it, Seed takes the large sets of
	// records, where one Insert for each would be slow, and has to return
	// records unchanged. Defaults to Insert, 16 at a time.
	Seed func(tb testing.TB, store keystore.KeyStore, records []keystore.Record) (held []keystore.Record)

	// Hang makes what is behind store stop answering, without an error, until
	// release is called; a proxy that holds packets back, or a lock that is held.
	// Defaults to nil: the cases that need it are skipped.
	Hang func(tb testing.TB, store keystore.KeyStore) (release func())

	// WatchDelay is how long Watch may take to report a change; a case fails
	// when it has passed, and no earlier. Defaults to 5 s.
	WatchDelay time.Duration

	// Rounds is how often each race among 32 contenders is run. Defaults to 25,
	// to 5 under -short.
	Rounds int

	// Skip opts out: from the name of a duty ("KS12") or of one case
	// ("KS12/ReportsDelete") to the reason, which go test -v prints. An unknown
	// name and an empty reason fail. Defaults to none.
	Skip map[string]string
}

// problems is everything that is wrong with the config.
func (c *Config) problems(factory Factory) error {
	var problems []error
	bad := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf("storetest: "+format, args...))
	}
	if factory == nil {
		bad("the Factory is nil: want a function that makes an empty store")
	}
	if c.Seed == nil && !c.AdminStore {
		bad("Config.Seed is nil: want it for a store without AdminStore, which nothing else can put records into")
	}
	if c.WatchDelay < 0 {
		bad("Config.WatchDelay is %v: want a duration above 0, or 0 for the default", c.WatchDelay)
	}
	if c.Rounds < 0 {
		bad("Config.Rounds is %d: want at least 1, or 0 for the default", c.Rounds)
	}
	known := map[string]bool{}
	for _, d := range duties() {
		known[d.label] = true
		for _, tc := range d.cases {
			known[d.label+"/"+tc.name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Skip)) {
		if !known[name] {
			bad("Config.Skip[%q]: no duty and no case has this name", name)
		}
		if c.Skip[name] == "" {
			bad("Config.Skip[%q] is empty: want the reason", name)
		}
	}
	return errors.Join(problems...)
}
