package storetest

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/claviger-go/claviger/keystore"
)

// trial is one case on its way: an empty store, seen through two handles.
type trial struct {
	testing.TB

	suite       *suite
	duty        *duty
	here, there *handle
	drawn       atomic.Uint64
}

// handle is one way to the records of a trial, as one process has it. Its
// methods fail the trial when the store does not do what they say, and stop it;
// on other goroutines than the trial's, cases call the store itself.
type handle struct {
	keystore.KeyStore

	t       *trial
	name    string
	admin   keystore.AdminStore
	watcher keystore.Watcher
	usage   keystore.UsageStore
	rates   keystore.RateStore
}

func (h *handle) has() (n needs) {
	if h.admin != nil {
		n |= adminStore
	}
	if h.watcher != nil {
		n |= watcher
	}
	if h.usage != nil {
		n |= usageStore
	}
	if h.rates != nil {
		n |= rateStore
	}
	return n
}

// handle spreads workers over both handles.
func (t *trial) handle(worker int) *handle {
	if worker%2 == 0 {
		return t.here
	}
	return t.there
}

// put stores a few records and returns what has to come back.
func (t *trial) put(records ...keystore.Record) []keystore.Record {
	t.Helper()
	if !t.suite.AdminStore {
		return t.seed(records)
	}
	t.here.insert(records...)
	return records
}

// fill stores many records.
func (t *trial) fill(records []keystore.Record) {
	t.Helper()
	if t.suite.Seed != nil {
		t.seed(records)
		return
	}
	const writers = 16
	together(writers, func(w int) {
		for n := w; n < len(records); n += writers {
			if err := t.here.admin.Insert(t.Context(), records[n], keystore.Quota{}); err != nil {
				t.wrongf("Insert of record %d of %d: got %v, want nil", n, len(records), err)
				return
			}
		}
	})
	t.stopIfFailed()
}

func (t *trial) seed(records []keystore.Record) []keystore.Record {
	t.Helper()
	held := t.suite.Seed(t.TB, t.here.KeyStore, records)
	if !t.suite.AdminStore {
		if len(held) == 0 {
			t.Skip("Seed says that the store can hold none of this case's records")
		}
		return held
	}
	if len(held) != len(records) {
		t.Fatalf("storetest: Seed of an AdminStore returned %d of %d records: want all, unchanged", len(held), len(records))
	}
	for n, r := range records {
		if d := difference(held[n], r); d != "" {
			t.Fatalf("storetest: Seed of an AdminStore changed record %d: want all unchanged:\n%s", n, d)
		}
	}
	return held
}

// insert stores records without a quota.
func (h *handle) insert(records ...keystore.Record) {
	h.t.Helper()
	for _, r := range records {
		h.t.answer(h.admin.Insert(h.t.Context(), r, keystore.Quota{}), nil, "Insert of %q through %s", cut(r.ID), h.name)
	}
	h.t.stopIfFailed()
}

// update stores r under an Op of its own, and returns it as it then is.
func (h *handle) update(r keystore.Record) keystore.Record {
	h.t.Helper()
	r.Op = h.t.op()
	h.t.answer(h.admin.Update(h.t.Context(), r), nil, "Update of %q at version %d through %s", cut(r.ID), r.Version, h.name)
	h.t.stopIfFailed()
	r.Version++
	return r
}

func (h *handle) remove(ids ...string) {
	h.t.Helper()
	for _, id := range ids {
		h.t.answer(h.admin.Delete(h.t.Context(), id, 0), nil, "Delete of %q through %s", cut(id), h.name)
	}
	h.t.stopIfFailed()
}

func (h *handle) lookup(id string) keystore.Record {
	h.t.Helper()
	r, err := h.Lookup(h.t.Context(), id)
	h.t.answer(err, nil, "Lookup of %q through %s", cut(id), h.name)
	h.t.stopIfFailed()
	return r
}

// holds looks up the record, which has to be exactly want.
func (h *handle) holds(want keystore.Record, when string) {
	h.t.Helper()
	r, err := h.Lookup(h.t.Context(), want.ID)
	if h.t.answer(err, nil, "Lookup of %q through %s %s", cut(want.ID), h.name, when) {
		h.t.same(r, want, "Lookup of %q through %s %s", cut(want.ID), h.name, when)
	}
}

// lacks looks up an id that nobody has. How the store says so is up to KS1.
func (h *handle) lacks(id, when string) {
	h.t.Helper()
	r, err := h.Lookup(h.t.Context(), id)
	if err == nil && r.ID != "" {
		h.t.wrongf("Lookup of %q through %s %s: got the record %q, want keystore.ErrNotFound", cut(id), h.name, when, cut(r.ID))
	}
}

// together runs n workers at the same time, as far as the machine lets it, and
// waits for them.
func together(n int, work func(worker int)) {
	var workers sync.WaitGroup
	begin := make(chan struct{})
	for w := range n {
		workers.Go(func() {
			<-begin
			work(w)
		})
	}
	close(begin)
	workers.Wait()
}

// contenders take part in each race.
const contenders = 32

// contest lets the contenders try at the same time, and counts those answered
// with nil. All others have to be answered with lost.
func (t *trial) contest(what string, lost error, try func(contender int) error) int {
	t.Helper()
	return t.contestOf(contenders, what, lost, try)
}

func (t *trial) contestOf(n int, what string, lost error, try func(contender int) error) int {
	t.Helper()
	var won atomic.Int64
	together(n, func(c int) {
		err := try(c)
		if err == nil {
			won.Add(1)
			return
		}
		t.answer(err, lost, "%s, contender %d of %d", what, c, n)
	})
	return int(won.Load())
}
