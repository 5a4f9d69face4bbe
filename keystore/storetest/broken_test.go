package storetest

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/claviger-go/claviger/adapters/memstore"
	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/keystore/internal/gcra"
)

// full is all that a store can be; broken ones embed it and do one thing wrong.
type full interface {
	keystore.AdminStore
	keystore.Watcher
	keystore.UsageStore
	keystore.RateStore
}

// memory is a memstore that counts requests as well.
type memory struct {
	*memstore.Store

	buckets *gcra.Buckets
	opened  time.Time
}

func newMemory() *memory {
	return &memory{Store: memstore.New(), buckets: gcra.NewBuckets(1000), opened: time.Now()}
}

func (m *memory) Take(ctx context.Context, id string, cost, limit time.Duration) (owed time.Duration, taken bool, err error) {
	if err := ctx.Err(); err != nil {
		return 0, false, err
	}
	nanos, taken := m.buckets.Of(id).Take(int64(time.Since(m.opened)), int64(cost), int64(limit))
	return time.Duration(nanos), taken, nil
}

func oneHandle(wrap func(full) keystore.KeyStore) Factory {
	return func(testing.TB) (store, other keystore.KeyStore) {
		s := wrap(newMemory())
		return s, s
	}
}

// slow cases are run on the broken stores that should fail them, and on sound ones.
func slow() []string {
	return []string{
		"KS2/Lookups", "KS2/EverythingAtOnce", "KS4/NoStepBack", "KS11/FiltersCombined", "KS11/Limits", "KS11/ManyRecords",
		"KS11/StableUnderLoad", "KS12/EndsAtItsDeadline", "KS12/SilentOnceEnded", "KS13/WakesNobody", "KS14/Largest", "KS16/Melts",
	}
}

// quick is a suite for stores in memory, without the slow cases but these.
func quick(factory Factory, but ...string) *suite {
	s := newSuite(factory, Config{AdminStore: true, Watcher: true, UsageStore: true, RateStore: true, Rounds: 3, WatchDelay: time.Second, Skip: map[string]string{}})
	s.records = 300
	for _, name := range slow() {
		if !slices.Contains(but, name) {
			s.Skip[name] = "slow"
		}
	}
	return s
}

type brokenStore struct {
	desc    string
	factory Factory
	fails   string // the cases that have to fail; all others have to pass,
	mayFail string // but for these, where it depends on who comes first
}

func brokenStores() []brokenStore {
	return slices.Concat(brokenReads(), brokenMutations(), brokenQuotas(), brokenRecords(), brokenLists(), brokenWatches(), brokenUsage(), brokenRates())
}

func TestBrokenStores(t *testing.T) {
	t.Parallel()
	for _, tc := range brokenStores() {
		t.Run(tc.desc, func(t *testing.T) {
			t.Parallel()
			fails, mayFail := strings.Fields(tc.fails), strings.Fields(tc.mayFail)
			o := run(t, quick(tc.factory, append(fails, mayFail...)...), func(name string) bool {
				// That all others pass takes too long to see under the race detector.
				return slices.Contains(fails, name) || !racing && !testing.Short()
			})
			for _, name := range fails {
				if !slices.Contains(o.failed, name) {
					t.Errorf("%s passes", name)
				}
			}
			for _, name := range o.failed {
				switch {
				case !slices.Contains(fails, name) && !slices.Contains(mayFail, name):
					t.Errorf("%s fails too: %s", name, o.logs[name])
				case !strings.Contains(o.logs[name], strings.Split(name, "/")[0]+", doc of "):
					t.Errorf("%s fails and does not name its duty: %s", name, o.logs[name])
				}
			}
		})
	}
}
