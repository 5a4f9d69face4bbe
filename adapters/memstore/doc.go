// Package memstore keeps records in the memory of one process: the default store of [keystore.Keys], and the one for
// tests.
//
//	keys, err := keystore.New(memstore.New(), keystore.Config{})
//
// # When to use it
//
// For tests, for development, and for a service that runs as one process and can issue or import its keys again after
// a restart. Nothing survives the process, and a second process sees none of it. Where records have to outlive a
// deployment, take filestore (one machine) or sqlstore and redisstore (any number of processes).
//
// # What it guarantees
//
// A [Store] is a [keystore.AdminStore], a [keystore.Watcher] and a [keystore.UsageStore], and keeps all duties of
// [keystore.KeyStore], KS1 to KS15. A mutation has happened for every reader when it returns, and entirely or not at
// all. A Watcher hears of every Update and Delete, without delay and with nothing that could lose touch.
//
// Records go in and come out as their own JSON encoding, so nothing is shared with the caller, and a field that a later
// version of keystore adds is kept without a change here. The store does not judge records: [keystore.Keys] does. It
// refuses only what its own duties forbid, an id that is not 1 to 80 bytes of [0-9A-Za-z:].
//
// # What it costs
//
// A key with one secret takes about 260 bytes of heap besides its own texts, 450 in all. Lookup, Insert, Update and
// Delete take about 10 µs, nearly all of it for the encoding, and hardly longer among a million records than among a
// thousand. So does each record of a List by Owner or Parent. List with any other filter looks at records from the
// newest on until the page is full, and holds writers up for no more than 1,024 records at a time.
//
// The package starts no goroutine, and there is nothing to close.
package memstore
