package storetest

import (
	"strconv"
	"sync/atomic"

	"github.com/claviger-go/claviger/keystore"
)

func consistencyCases() []testCase {
	return []testCase{
		{"Insert", adminStore, func(t *trial) { t.seesInsert(t.here) }},
		{"InsertElsewhere", adminStore, func(t *trial) { t.seesInsert(t.there) }},
		{"Update", adminStore, func(t *trial) { t.seesUpdate(t.here) }},
		{"UpdateElsewhere", adminStore, func(t *trial) { t.seesUpdate(t.there) }},
		{"Delete", adminStore, func(t *trial) { t.seesDelete(t.here) }},
		{"DeleteElsewhere", adminStore, func(t *trial) { t.seesDelete(t.there) }},
		{"RevocationElsewhere", adminStore, revocationElsewhere},
		{"Seeded", anyStore, seesSeeded},
		{"InTurns", adminStore, updatesInTurns},
		{"InsertedAgain", adminStore, insertedAgain},
		{"NoStepBack", adminStore, versionsNeverStepBack},
	}
}

// Each round asks before the mutation too, so that a remembered answer would be
// a wrong one.
const consistencyRounds = 20

func (t *trial) seesInsert(reader *handle) {
	for n := range consistencyRounds {
		r := t.key(strconv.Itoa(n), created(n))
		reader.lacks(r.ID, "before its Insert")
		t.here.insert(r)
		reader.holds(r, "right after its Insert")
		if listed := reader.list(keystore.Filter{Limit: 1}); len(listed.Records) != 1 || listed.Records[0].ID != r.ID {
			t.wrongf("List through %s right after the Insert of %q: got %v", reader.name, r.ID, ids(listed.Records))
		}
	}
}

func (t *trial) seesUpdate(reader *handle) {
	r := t.key("a")
	t.here.insert(r)
	for n := range consistencyRounds {
		reader.holds(r, "before an Update")
		r.Name = strconv.Itoa(n)
		r = t.here.update(r)
		reader.holds(r, "right after an Update")
	}
}

func (t *trial) seesDelete(reader *handle) {
	records := t.keys(consistencyRounds, "k%d")
	t.here.insert(records...)
	for n, r := range records {
		reader.holds(r, "before its Delete")
		t.here.remove(r.ID)
		reader.lacks(r.ID, "right after its Delete")
		if left := reader.all(keystore.Filter{}); len(left) != len(records)-n-1 {
			t.wrongf("List through %s right after %d of %d were deleted: got %d records", reader.name, n+1, len(records), len(left))
		}
	}
}

func revocationElsewhere(t *trial) {
	records := t.keys(consistencyRounds, "k%d")
	t.here.insert(records...)
	for n, r := range records {
		from, to := t.handle(n), t.handle(n+1)
		to.holds(r, "before it is revoked")
		revoked(&r)
		r = from.update(r)
		to.holds(r, "right after it was revoked elsewhere")
	}
}

func seesSeeded(t *trial) {
	for _, r := range t.put(t.key(alias("0a")), t.key("b", owner("x")), t.key(alias("0c"), owner("y"))) {
		t.here.holds(r, "once it is stored")
		t.there.holds(r, "once it is stored")
	}
}

// Two processes that take turns both read what the other one wrote.
func updatesInTurns(t *trial) {
	t.here.insert(t.key("a"))
	for n := range 2 * consistencyRounds {
		h := t.handle(n)
		r := h.lookup("a")
		if r.Version != uint64(n)+1 {
			t.wrongf("Lookup through %s after %d Updates: got version %d, want %d", h.name, n, r.Version, n+1)
		}
		h.update(r)
	}
}

func insertedAgain(t *trial) {
	for n := range consistencyRounds {
		r := t.key("a", named(strconv.Itoa(n)))
		t.handle(n).insert(r)
		t.handle(n+1).holds(r, "inserted again")
		t.handle(n + 1).remove("a")
		t.handle(n).lacks("a", "deleted elsewhere")
	}
}

// A reader that has heard of a version never sees an older one.
func versionsNeverStepBack(t *trial) {
	t.here.insert(t.key("a"))
	const last = 100
	var returned atomic.Uint64
	together(5, func(w int) {
		if w == 0 {
			defer returned.Store(last)
			for v := uint64(1); v < last; v++ {
				if !t.answer(t.here.admin.Update(t.Context(), t.key("a", version(v))), nil, "Update at version %d", v) {
					return
				}
				returned.Store(v + 1)
			}
			return
		}
		for known := uint64(0); known < last; {
			known = returned.Load()
			r, err := t.handle(w).Lookup(t.Context(), "a")
			if err != nil || r.Version < known && !t.Failed() {
				t.wrongf("Lookup that began after version %d was stored: got version %d, %v", known, r.Version, err)
				return
			}
		}
	})
}
