// Package filestore keeps records in one JSON file: the store of a service on one machine, and of its tools beside it.
//
//	records, err := filestore.Open("/var/lib/app/keys.json", filestore.Config{Create: true})
//	keys, err := keystore.New(records, keystore.Config{})
//
// # When to use it
//
// For up to about 10,000 records, written now and then, by any number of processes on one machine. Records survive a
// deployment, a crash and a power failure; a diff of two backups tells what happened. Each mutation rewrites the file, so
// where keys are issued all day, or sessions are kept, take sqlstore with SQLite. On several machines take PostgreSQL,
// MySQL or Redis: over NFS or SMB neither the lock nor the stat can be relied upon, and a revocation may go unseen.
//
// # What it guarantees
//
// A [Store] is a [keystore.AdminStore], a [keystore.Watcher] and a [keystore.UsageStore], and keeps all duties of
// [keystore.KeyStore], KS1 to KS15, across processes. A mutation that has returned is on disk, and every Lookup that
// begins afterwards sees it, in every process: each Lookup stats the file, and no two versions of the file have a stat in
// common. A process that is killed leaves the version before or the version after, and at most a draft (.tmp) that the
// next mutation removes. When the disk is full, nothing changes and the mutation says so; that goes for a revocation,
// too, though a Delete may still succeed.
//
// There is never an empty store instead of a file that is damaged or gone, nor a previous version: in that one, a key
// revoked since would be alive. [Open] and every other method answer an error that says what to do, and Keys answers 503.
// There is deliberately no second copy beside the file that could be taken for it. Make backups with cp, at any time: a
// copy is always of one version. After restoring one, revoke again what was revoked since; an older copy is noticed by
// its generation, if the .lock file beside it has not been restored as well.
//
// # The files
//
//   - keys.json, the records: a line of header with a format number and a generation that counts mutations, a line for
//     each record in order of creation, and a line with the SHA-256 of all before it, as in `sed '$d' keys.json |
//     sha256sum`. It holds hashes and names and nothing that logs anybody in.
//   - keys.json.lock, taken by who mutates and by nobody else. It remembers the highest generation. Do not delete it
//     while a process uses the store: two of them could then write at the same time.
//   - keys.json.usage, counts, times and networks of use. It may be lost or deleted at any time.
//   - keys.json.tmp and keys.json.usage.tmp, drafts.
//
// All have mode 0600 and stay with the owner of keys.json, so that an operator may use a tool as root. A directory of
// their own, with mode 0700, is the right place. To edit by hand, stop all processes, edit, put the new sum into the last
// line; whoever can do that can also give themselves every scope.
//
// # What it costs
//
// Measured on two idle cores and a local disk. Lookup: 1.5 µs for the stat and 10 µs for decoding. A mutation: 0.7 ms with
// 100 records, 8 ms with 10,000. The first Lookup after another process's mutation: 7 ms with 10,000 records, since only
// the line that is new is decoded. Open: 70 ms with 10,000 records, which take 7 MB of memory and 4 MB of disk. So 10,000
// keys inserted one by one take the better part of a minute.
//
// A mutation waits for the lock, as long as its ctx lasts. The lock has no queue: beside a process that writes 10,000
// records without pause, another one's mutation took 55 ms at the median and up to half a second. Reading waits for nobody.
// The package starts no goroutine, and there is nothing to close.
//
// # Windows
//
// Replacing the file is written through (MOVEFILE_WRITE_THROUGH), which is the nearest to an fsync of the directory. Who
// may open the file is up to the ACL that it inherits from its directory: modes, owners and hard links are not checked.
// The package is built for Windows and not tested there.
package filestore
