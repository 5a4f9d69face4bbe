package storetest

import (
	"cmp"
	"testing"
	"time"

	"github.com/claviger-go/claviger/keystore"
)

// Run proves that the stores made by factory keep the duties KS1 to KS16 of
// [keystore.KeyStore], and that nothing in a string harms them (T-121).
//
// Each duty is a subtest, and each case a subtest of it with an empty store of
// its own, as in TestStore/KS7/QuotaRace. Cases run one after the other; t may
// be parallel to other tests. A case is skipped, never passed over in silence,
// when the store does not declare what it needs or opts out.
func Run(t *testing.T, factory Factory, config Config) {
	t.Helper()
	if err := config.problems(factory); err != nil {
		t.Fatal(err)
	}
	s := newSuite(factory, config)
	for _, d := range duties() {
		t.Run(d.label, func(t *testing.T) {
			for _, c := range d.cases {
				t.Run(c.name, func(t *testing.T) { s.attempt(t, &d, &c) })
			}
		})
	}
}

// suite is a Config compiled.
type suite struct {
	Config

	factory  Factory
	records  int           // how many the largest listing holds
	patience time.Duration // how long a call may take whose ctx has ended
}

func newSuite(factory Factory, config Config) *suite {
	s := &suite{Config: config, factory: factory, records: 10_000, patience: 5 * time.Second}
	rounds := 25
	if testing.Short() {
		s.records, rounds = 1_000, 5
	}
	s.Rounds = cmp.Or(s.Rounds, rounds)
	s.WatchDelay = cmp.Or(s.WatchDelay, 5*time.Second)
	return s
}

// attempt runs one case. It knows no more than a testing.TB, so that the suite's
// own tests can put one in its place that notes failures.
func (s *suite) attempt(tb testing.TB, d *duty, c *testCase) {
	tb.Helper()
	for _, name := range []string{d.label, d.label + "/" + c.name} {
		if reason, ok := s.Skip[name]; ok {
			tb.Skipf("opted out: %s", reason)
		}
	}
	if missing := c.needs &^ s.declared(); missing != 0 {
		tb.Skipf("needs %s, which Config does not declare", missing)
	}
	store, other := s.factory(tb)
	if store == nil || other == nil {
		tb.Fatal("storetest: the Factory returned nil: want two handles, or the same one twice")
	}
	t := &trial{TB: tb, suite: s, duty: d}
	t.here, t.there = newHandle(t, "this handle", store), newHandle(t, "the other handle", other)
	// Without the AdminStore that it declares, nothing can be stored either.
	missing := (c.needs | adminStore) & s.capabilities() &^ (t.here.has() & t.there.has())
	if missing != 0 && d.label != "Capabilities" {
		tb.Skipf("needs %s, which is declared but missing: see Capabilities", missing)
	}
	c.run(t)
}

func (s *suite) declared() needs {
	n := s.capabilities()
	if s.Hang != nil {
		n |= hang
	}
	return n
}

func (s *suite) capabilities() (n needs) {
	for capability, declared := range map[needs]bool{
		adminStore: s.AdminStore, watcher: s.Watcher, usageStore: s.UsageStore, rateStore: s.RateStore,
	} {
		if declared {
			n |= capability
		}
	}
	return n
}

func newHandle(t *trial, name string, store keystore.KeyStore) *handle {
	h := &handle{KeyStore: store, t: t, name: name}
	h.admin, _ = store.(keystore.AdminStore)
	h.watcher, _ = store.(keystore.Watcher)
	h.usage, _ = store.(keystore.UsageStore)
	h.rates, _ = store.(keystore.RateStore)
	return h
}
