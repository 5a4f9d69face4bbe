// Package across runs several real processes on one store and measures what one of them sees of the others: how soon a
// revoked key is refused elsewhere, what is accepted while the network to the engine is broken, what a process does that
// was stopped for a minute.
//
// Each process is this test binary, started again with CLAVIGER_ACROSS in its environment: it opens the store, makes a
// keystore.Keys and a middleware.Auth with their defaults, and guards a route. A proxy stands between it and the engine
// where a network is to be broken; the engines themselves are shared with others, and are left alone.
//
// The tests rest on real time, as what they test does. So they assert in any run what is promised whatever a busy
// machine does (nothing is accepted MaxStaleness after the revocation returned, nothing genuine is refused), and print
// how long things took. With CLAVIGER_HARNESS=full the figures are asserted too, and the runs are long: 200 revocations, an
// outage of 10 s, a process stopped for 60 s, 1,000 quota races. Allow it 40 minutes, on a machine that has nothing else
// to do:
//
//	CLAVIGER_HARNESS=full go test -count=1 -timeout=40m -v .
package across
