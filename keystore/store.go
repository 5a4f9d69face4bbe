package keystore

import (
	"context"
	"errors"
	"net/netip"
	"time"
)

// What a store answers, wrapped or bare. Every other error means "cannot answer"
// and becomes 503, never "no such key" (KS1).
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
	// ErrReadOnly: the store lacks the capability. [Keys] says so; a store has no
	// use for it.
	ErrReadOnly = errors.New("keystore: the store is read-only")
)

// KeyStore is all that verification needs of the place where records live.
//
// An adapter owes the duties below; each label is also the name of the storetest
// subtest that proves it. The doc of each method says what it does and which error
// it answers. Optional capabilities are [AdminStore], [Watcher], [UsageStore] and
// [RateStore]; [New] finds them once, so a wrapper that hides one loses it. These
// interfaces never grow.
//
// A store judges nobody: revoked and expired records are found and listed like all
// others. Keys never closes it: close it after [Keys.Close].
//
//   - KS1: a missing record is [ErrNotFound]; any other error means "cannot
//     answer" and is never taken for "no".
//   - KS2: safe for concurrent use.
//   - KS3: honours ctx: a call whose ctx has ended answers with its error and
//     writes nothing; a wait ends with it.
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
//     cursors that never leave their filter.
//   - KS12: a Watcher calls changed() once it listens, and reports every Update
//     and Delete made by any process, or calls changed() when it may have missed
//     one, and once more when it is back in touch. Touch is proven by its own
//     heartbeat coming back, not by the absence of errors.
//   - KS13: usage moves no version and wakes no Watcher.
//   - KS14: every field of a Record comes back: store the record's own encoding
//     (json.Marshal) and copy into columns only what List filters on. Document
//     that changing those columns by hand revokes nothing.
//   - KS15: a mutation that a driver or a retry sends twice answers as if sent
//     once: [Record.Op] tells it apart from somebody else's.
//   - KS16: a RateStore decides each Take atomically, across processes and by one
//     clock; what it refuses adds nothing.
//
// # Left open
//
// Do what is natural here: Keys relies on none of it, and storetest lets it pass.
//
//   - What Insert and Delete answer for an id that KS6 does not allow, and with
//     which error Update refuses it. They touch no other record by it, and what
//     Insert takes it has to keep byte for byte; better refuse.
//   - ErrQuota in place of ErrExists, where both are true.
//   - The order of records created at the same instant, as long as it stays.
//   - How much shorter than its Limit a page is.
//   - Whether a mutation has happened whose ctx ended on the way, as long as it has
//     entirely or not at all.
//   - Whether a Watcher names ids, and how often it calls without need.
//   - Negative limits, and records that Keys would not write: see [Record].
type KeyStore interface {
	// Lookup returns the record with exactly this id. ErrNotFound if there is
	// none, also for a text that can be no id: such a text may come from a request.
	Lookup(ctx context.Context, id string) (Record, error)
}

// AdminStore is a KeyStore that can be written: what issuing and managing keys
// needs. Without it every writing method of [Keys] answers [ErrReadOnly].
//
// A mutation decides and writes in one step, across processes. Of what it may
// answer, the first that applies counts; where nothing does, it is written.
type AdminStore interface {
	KeyStore
	// Insert stores a new record, with r.Version as it stands.
	//
	//   - A record with this id carries r.Op: nil. It was sent twice, and the quota
	//     may be full because of it. An empty Op never counts as the same.
	//   - There is a record with this id, dead or alive: ErrExists.
	//   - There is no room: ErrQuota. r counts too, so q.Max 1 admits one.
	Insert(ctx context.Context, r Record, q Quota) error
	// Update replaces the whole record, whatever r changes in it, and stores
	// r.Version+1.
	//
	//   - There is none with this id: ErrNotFound.
	//   - It carries r.Op, not empty, at r.Version+1: nil. This very update was sent
	//     twice; it may have been the one that revoked.
	//   - It is revoked, by what is stored: ErrRevoked, whatever its Version.
	//   - Its Version is not r.Version: ErrConflict.
	Update(ctx context.Context, r Record) error
	// Delete removes a record, a revoked one too, and leaves its children.
	//
	//   - There is none with this id: nil.
	//   - version is neither 0 nor its Version: ErrConflict.
	Delete(ctx context.Context, id string, version uint64) error
	// List returns a page of the records that match f, by [Record.Created], newest
	// first. Following Page.Next yields each record that is there all the time
	// once, whatever is inserted, updated and deleted meanwhile.
	List(ctx context.Context, f Filter) (Page, error)
}

// Watcher is a KeyStore that knows when records change.
type Watcher interface {
	// Watch calls changed with the ids of records that any process updated or
	// deleted, or without ids when anything may have changed, until ctx ends; it
	// then returns ctx's error. If it returns earlier, Keys calls it again.
	//
	// It calls changed() as soon as it listens, since nobody told it what happened
	// before. It tells of a change when Lookup shows it, and of nothing once it has
	// returned; Inserts need not be told. Several may run at a time.
	//
	// changed is quick, calls no method of the store, and is safe to call
	// concurrently.
	Watch(ctx context.Context, changed func(ids ...string)) error
}

// UsageStore is a KeyStore that keeps usage, apart from the records (KS13).
type UsageStore interface {
	// AddUsage adds each of u to what is known of its ID and Secret, as [Usage.Add]
	// does. A pair may come more than once, and 100,000 of them at a time. Ids
	// without a record are kept too, or dropped: nobody asks for them. Update keeps
	// a record's usage. After an error some of u may have been added: Keys sends all
	// of it again.
	AddUsage(ctx context.Context, u []Usage) error
	// Usage returns what is known of all secrets of ids, in any order; unused ones
	// are left out.
	Usage(ctx context.Context, ids []string) ([]Usage, error)
}

// RateStore is a KeyStore that counts requests for all processes together. Without it
// each process enforces a [Rate] by itself. It is asked at every request with a key
// that has a rate, so it has to be quick.
type RateStore interface {
	// Take adds cost to what id owes, if that stays within limit, and returns what is
	// owed then, and whether it was added. What is owed melts as time passes, a second
	// in each second; more than limit is limit. (This is the generic cell rate
	// algorithm.) Both are whole microseconds, cost from 100 µs on and limit up to
	// 25 h; they may differ from call to call. An id needs no record. What is lost
	// costs nobody anything: it may be kept in memory, and forgotten when nothing is
	// owed.
	Take(ctx context.Context, id string, cost, limit time.Duration) (owed time.Duration, taken bool, err error)
}

// Quota bounds how many live records an owner has. Counted are the records of
// the new record's Owner, Kind and Type, each of them exactly and "" too, that are
// not revoked and not expired at Now. Suspended ones count. Max 0: no limit.
type Quota struct {
	Max int
	Now time.Time // with nanoseconds, which are cut and never rounded up
}

// Filter narrows List. A zero field matches any record.
type Filter struct {
	Kind   Kind
	Owner  string
	Type   string
	Parent string
	// ExpiredBefore matches records whose Expires is set and earlier.
	ExpiredBefore time.Time
	// After is the Next of an earlier Page, from any process, whatever its Limit.
	// A text of another form is an error, or an empty page. One of the right form,
	// forged or of another filter, reaches only what this filter matches.
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
	// Next is the cursor for the following page; empty after the last one. No other
	// sign tells that: a page may be shorter than Limit, even empty, before the end.
	Next string
}

// Usage says how often one secret of a record was used, when, and from where.
type Usage struct {
	ID     string
	Secret uint32 // its number; 0: no secret, as of a session

	Count     uint64
	FirstUsed time.Time    // UTC, to the second; zero: not known
	LastUsed  time.Time    // likewise
	Network   netip.Prefix // from where, at about LastUsed: a /24 of IPv4, a /48 of IPv6; zero: not known
}

// Add returns what u and v say together of one secret: the sum of their counts, the
// earlier FirstUsed, the later LastUsed and the Network that goes with it, with
// times in UTC and to the second. u may be the zero Usage.
func (u Usage) Add(v Usage) Usage {
	first, last := inSeconds(v.FirstUsed), inSeconds(v.LastUsed)
	u.ID, u.Secret = v.ID, v.Secret
	u.Count += v.Count
	u.FirstUsed = sooner(u.FirstUsed, first)
	if last.After(u.LastUsed) {
		u.LastUsed, u.Network = last, v.Network
	}
	return u
}

func inSeconds(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }
