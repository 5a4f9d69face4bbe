// Package storetest proves that a [keystore.KeyStore] keeps its duties, KS1 to
// KS16, with one call:
//
//	func open(tb testing.TB) (store, other keystore.KeyStore) {
//		path := filepath.Join(tb.TempDir(), "keys.db")
//		return mustOpen(tb, path), mustOpen(tb, path)
//	}
//
//	var config = storetest.Config{AdminStore: true, Watcher: true, UsageStore: true}
//
//	func TestStore(t *testing.T)      { storetest.Run(t, open, config) }
//	func BenchmarkStore(b *testing.B) { storetest.Benchmark(b, open, config) }
//
// # What you write
//
// A [Factory] makes an empty place for records and opens two handles on it, as two
// processes would; what one handle writes, the other has to see. Every case gets a
// place of its own. A store in memory returns the same handle twice, and so does
// one whose place can be opened only once, as examples/bboltstore does.
//
// [Config] declares what the store is besides a KeyStore. That is checked both ways:
// Keys finds capabilities by asking the value that it is given, so a wrapper that
// hides one loses it without a word.
//
// A read-only store is given records by [Config.Seed], which writes to the place
// behind it and returns what Lookup then has to answer:
//
//	storetest.Run(t, open, storetest.Config{
//		Seed: func(tb testing.TB, store keystore.KeyStore, records []keystore.Record) (held []keystore.Record) {
//			for _, r := range records {
//				if digest, ok := strings.CutPrefix(r.ID, "sha256:"); ok {
//					insertRow(tb, store, digest, r.Owner)
//					held = append(held, keystore.Record{ID: r.ID, Owner: r.Owner, …})
//				}
//			}
//			return held
//		},
//	})
//
// # What you get
//
// There are 304 cases. Each is a subtest named after its duty, as TestStore/KS7/QuotaRace,
// and a failure says what was expected, what came, and the duty's own words. Those
// under T-121 put quotes, patterns, scripts and look-alikes into every text. Races
// are run among 32 goroutines on both handles; give the store the real engine, since
// a mocked one proves nothing about collations, rounding and locks.
//
// What does not apply is skipped with its reason: cases for a capability that is not
// declared, for [Config.Hang] where it is nil, and what [Config.Skip] opts out of. To
// opt out of a duty is to tell the users of the store so.
//
// Records are such as Keys writes, with every field that keystore.Record has, also
// those that a later version adds. What [keystore.KeyStore] leaves open passes either
// way.
//
// # What it costs
//
// About 36,000 writes and 12,000 reads: two seconds for a store in memory, and 40 s
// where a write takes a millisecond. [Config.Seed] takes 13,000 of the writes off,
// those that fill a store before a case begins. Under -short it is 16,000 writes.
// Watch is waited for some 70 times: where it polls, let it poll often in tests. A
// case that waits for what never comes ends after [Config.WatchDelay], or 5 s after
// its ctx.
//
// The package needs the standard library alone, and so does a test that calls it.
package storetest
