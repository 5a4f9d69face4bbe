package keystore

import (
	"context"
	"errors"
	"time"
)

// What a store answers. An adapter returns these, wrapped or bare; every other
// error means "cannot answer" and becomes 503, never "no such key" (KS1).
var (
	// ErrNotFound: no record has this id.
	ErrNotFound = errors.New("keystore: no such record")
	// ErrExists: Insert met a record with this id.
	ErrExists = errors.New("keystore: a record with this id exists")
	// ErrQuota: Insert would exceed Quota.Max.
	ErrQuota = errors.New("keystore: quota reached")
	// ErrConflict: the record has another version than the one given; read it again.
	ErrConflict = errors.New("keystore: the record has changed meanwhile")
	// ErrRevoked: Update met a revoked record. Revoked is final.
	ErrRevoked = errors.New("keystore: the record is revoked, which is final")
	// ErrReadOnly: the store is no AdminStore, so nothing can be written.
	ErrReadOnly = errors.New("keystore: the store is read-only")
)

// KeyStore is all that verification needs of the place where records live.
//
// An adapter owes the duties below; each label is also the name of the storetest
// subtest that proves it. Optional capabilities are [AdminStore], [Watcher] and
// [UsageStore]; [New] finds them once, so a wrapper that hides one loses it.
// These interfaces never grow.
//
//   - KS1: a missing record is [ErrNotFound]; any other error means "cannot
//     answer" and is never taken for "no".
//   - KS2: safe for concurrent use.
//   - KS3: honours ctx.
//   - KS4: a Lookup that starts after a mutation returned, in any process, sees
//     it. Reads go to the primary, never to a replica that may lag.
//   - KS5: keeps no caller's slice or map and hands none of its own out.
//   - KS6: ids are 1 to 80 bytes of [0-9A-Za-z:] and compare byte for byte, case
//     and all.
//   - KS7: Insert of an existing id is [ErrExists]; over quota is [ErrQuota],
//     decided atomically with the insert, across processes.
//   - KS8: Update of a missing record is [ErrNotFound], of a revoked one
//     [ErrRevoked], with a stale version [ErrConflict]; then nothing is written.
//   - KS9: Delete of nothing is nil, of another version [ErrConflict].
//   - KS10: times survive to the microsecond, in UTC.
//   - KS11: List is newest first and stable under concurrent writes, with opaque
//     cursors.
//   - KS12: a Watcher reports every Update and Delete made by any process, or
//     calls changed() when it may have missed one, and once more when it is back
//     in touch. Touch is proven by its own heartbeat coming back, not by the
//     absence of errors.
//   - KS13: usage moves no version and wakes no Watcher.
//   - KS14: every field of a Record comes back: store the record's own encoding
//     (json.Marshal) and copy into columns only what List filters on. Document
//     that changing those columns by hand revokes nothing.
//   - KS15: a mutation that a driver or a retry sends twice answers as if sent
//     once: [Record.Op] tells it apart from somebody else's.
type KeyStore interface {
	// Lookup returns the record with exactly this id, or ErrNotFound.
	Lookup(ctx context.Context, id string) (Record, error)
}

// AdminStore is a KeyStore that can be written: what issuing and managing keys
// needs. Without it every writing method of [Keys] answers [ErrReadOnly].
type AdminStore interface {
	KeyStore
	// Insert stores a new record with r.Version as it stands, unless its id
	// exists (ErrExists; nil if the stored Op is r.Op: it was sent twice) or q is
	// reached (ErrQuota). The record itself counts, so q.Max 1 admits one.
	Insert(ctx context.Context, r Record, q Quota) error
	// Update replaces the record if the stored Version is r.Version, and stores
	// r.Version+1. ErrNotFound, ErrRevoked (judged by the stored record) and
	// ErrConflict leave everything as it was. A stored record that carries r.Op
	// at r.Version+1 is this very update, sent twice: nil.
	Update(ctx context.Context, r Record) error
	// Delete removes the record if its Version is version; 0: whatever it is.
	Delete(ctx context.Context, id string, version uint64) error
	// List returns a page of the records that match f, newest first.
	List(ctx context.Context, f Filter) (Page, error)
}

// Watcher is a KeyStore that knows when records change.
type Watcher interface {
	// Watch calls changed with the ids of records that any process updated or
	// deleted, or without ids when anything may have changed, until ctx ends; it
	// then returns ctx's error. If it returns earlier, Keys calls it again.
	// changed is quick, and safe to call concurrently.
	Watch(ctx context.Context, changed func(ids ...string)) error
}

// UsageStore is a KeyStore that keeps usage, apart from the records (KS13).
type UsageStore interface {
	// AddUsage adds the counts and keeps the later LastUsed of each id. Ids
	// without a record are kept too, or dropped: nobody asks for them.
	AddUsage(ctx context.Context, u []Usage) error
	// Usage returns what is known of ids, in any order; unused ids are left out.
	Usage(ctx context.Context, ids []string) ([]Usage, error)
}

// Quota bounds how many live records an owner has. Counted are the records of
// the new record's Owner, Kind and Type that are not revoked and not expired at
// Now. Max 0: no limit.
type Quota struct {
	Max int
	Now time.Time
}

// Filter narrows List. A zero field matches any record.
type Filter struct {
	Kind   Kind
	Owner  string
	Type   string
	Parent string
	// ExpiredBefore matches records whose Expires is set and earlier.
	ExpiredBefore time.Time
	// After is the Next of an earlier Page. A cursor that the store did not make
	// is an error, or an empty page; it never reaches other records.
	After string
	// Limit is how many records a page holds at most. 0 stands for 100; more than
	// MaxPage is MaxPage.
	Limit int
}

// MaxPage is the largest page that List returns.
const MaxPage = 1000

// Page is one page of List.
type Page struct {
	Records []Record
	// Next is the cursor for the following page; empty after the last one.
	Next string
}

// Usage says how often a key was used, and when last.
type Usage struct {
	ID       string
	Count    uint64
	LastUsed time.Time // UTC, to the second
}
