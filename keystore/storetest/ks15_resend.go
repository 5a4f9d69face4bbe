package storetest

import (
	"strconv"

	"github.com/claviger-go/claviger/keystore"
)

func resendCases() []testCase {
	return []testCase{
		{"InsertTwice", adminStore, insertTwice},
		{"InsertTwiceAtTheQuota", adminStore, insertTwiceAtTheQuota},
		{"InsertTwiceCountsOnce", adminStore, insertTwiceCountsOnce},
		{"InsertOnceUpdated", adminStore, insertOnceUpdated},
		{"UpdateTwice", adminStore, updateTwice},
		{"UpdateOnceUpdated", adminStore, updateOnceUpdated},
		{"UpdateOfAnotherVersion", adminStore, updateOfAnotherVersion},
		{"RevokeTwice", adminStore, revokeTwice},
		{"DeleteTwice", adminStore, deleteTwice},
		{"WithoutOp", adminStore, withoutOp},
		{"InsertRace", adminStore, sameInsertRace},
		{"UpdateRace", adminStore, sameUpdateRace},
		{"InsertRaceAtTheQuota", adminStore, sameInsertRaceAtTheQuota},
	}
}

// twice sends a mutation through each handle, and once more.
func (t *trial) twice(what string, send func(*handle) error) {
	t.Helper()
	for n, h := range []*handle{t.here, t.here, t.there} {
		t.answer(send(h), nil, "%s, sent for the %d. time with the same Op", what, n+1)
	}
	t.stopIfFailed()
}

func insertTwice(t *trial) {
	r := t.key("a")
	t.twice("Insert", func(h *handle) error { return h.admin.Insert(t.Context(), r, keystore.Quota{}) })
	t.here.holds(r, "inserted three times over")
	t.exactly(t.here.all(keystore.Filter{}), []keystore.Record{r}, "List of what was inserted three times over")
	t.answer(t.here.admin.Insert(t.Context(), t.key("a"), keystore.Quota{}), keystore.ErrExists, "Insert of the same id with another Op")
}

// The quota is full, because of this very record.
func insertTwiceAtTheQuota(t *trial) {
	r := t.key("a")
	t.twice("Insert", func(h *handle) error {
		return h.admin.Insert(t.Context(), r, keystore.Quota{Max: 1, Now: now()})
	})
	t.inQuota(t.here, 1, keystore.ErrQuota, "reached")
}

func insertTwiceCountsOnce(t *trial) {
	r := t.key("a")
	t.twice("Insert", func(h *handle) error {
		return h.admin.Insert(t.Context(), r, keystore.Quota{Max: 2, Now: now()})
	})
	t.inQuota(t.here, 2, nil, "of which one record, inserted three times over, takes one place")
	t.inQuota(t.here, 2, keystore.ErrQuota, "reached")
	t.here.remove("a")
	t.inQuota(t.here, 2, nil, "once that record is deleted")
}

// What is stored is no longer what that Insert stored.
func insertOnceUpdated(t *trial) {
	inserted := t.key("a")
	t.here.insert(inserted)
	r := t.here.update(inserted)
	t.answer(t.here.admin.Insert(t.Context(), inserted, keystore.Quota{}), keystore.ErrExists, "Insert sent again after an Update")
	t.here.holds(r, "after an Insert that came late")
}

func updateTwice(t *trial) {
	r := t.key("a")
	t.here.insert(r)
	r.Op, r.Name = t.op(), "renamed"
	t.twice("Update", func(h *handle) error { return h.admin.Update(t.Context(), r) })
	other := t.key("a")
	t.answer(t.here.admin.Update(t.Context(), other), keystore.ErrConflict, "Update of the same version with another Op")
	r.Version++
	t.here.holds(r, "updated three times over")
}

func updateOnceUpdated(t *trial) {
	t.here.insert(t.key("a"))
	early := t.key("a", named("early"))
	t.answer(t.here.admin.Update(t.Context(), early), nil, "Update")
	r := t.there.update(t.key("a", version(2), named("later")))
	t.answer(t.here.admin.Update(t.Context(), early), keystore.ErrConflict, "Update sent again after another one")
	t.here.holds(r, "after an Update that came late")
}

// An Op stands for one mutation of one version.
func updateOfAnotherVersion(t *trial) {
	r := t.key("a", version(5))
	t.here.insert(r)
	for _, v := range []uint64{1, 3, 6, 7} {
		again := r
		again.Version = v
		t.answer(t.here.admin.Update(t.Context(), again), keystore.ErrConflict, "Update at version %d with the Op that version 5 carries", v)
	}
	t.here.holds(r, "after Updates that wrote nothing")
}

func revokeTwice(t *trial) {
	r := t.key("a")
	t.here.insert(r)
	revoked(&r)
	r.Op = t.op()
	t.twice("Update that revokes", func(h *handle) error { return h.admin.Update(t.Context(), r) })
	t.answer(t.here.admin.Update(t.Context(), t.key("a", version(2))), keystore.ErrRevoked, "Update of a revoked record with another Op")
	r.Version++
	t.here.holds(r, "revoked three times over")
	t.answer(t.here.admin.Update(t.Context(), r), keystore.ErrRevoked, "Update of a revoked record, at its version and with its Op")
	t.here.holds(r, "after Updates of a revoked record")
}

func deleteTwice(t *trial) {
	t.here.insert(t.key("a", version(3)), t.key("b", version(3)))
	t.twice("Delete at a version", func(h *handle) error { return h.admin.Delete(t.Context(), "a", 3) })
	t.twice("Delete at any version", func(h *handle) error { return h.admin.Delete(t.Context(), "b", 0) })
}

// Mutations that do not say who they are have nothing in common.
func withoutOp(t *trial) {
	nameless := func(r *keystore.Record) { r.Op = "" }
	r := t.key("a", nameless)
	t.here.insert(r)
	t.answer(t.here.admin.Insert(t.Context(), t.key("a", nameless, owner("another")), keystore.Quota{}), keystore.ErrExists, "Insert of an existing id, both without an Op")
	t.here.holds(r, "after an Insert of its id, both without an Op")
	r.Name = "renamed"
	t.answer(t.here.admin.Update(t.Context(), r), nil, "Update without an Op")
	t.answer(t.here.admin.Update(t.Context(), t.key("a", nameless, named("other"))), keystore.ErrConflict, "Update of the same version, both without an Op")
	r.Version++
	t.here.holds(r, "after two Updates of one version, both without an Op")
}

// A retry may overtake what it repeats.
func sameInsertRace(t *trial) {
	for round := range t.suite.Rounds {
		r := t.key(strconv.Itoa(round))
		t.contest("the same Insert, sent many times at once", nil, func(c int) error {
			return t.handle(c).admin.Insert(t.Context(), r, keystore.Quota{})
		})
		t.stopIfFailed()
		t.here.holds(r, "inserted many times over")
	}
}

func sameUpdateRace(t *trial) {
	t.here.insert(t.key("a"))
	for round := range t.suite.Rounds {
		r := t.key("a", version(uint64(round)+1), named(strconv.Itoa(round)))
		t.contest("the same Update, sent many times at once", nil, func(c int) error {
			return t.handle(c).admin.Update(t.Context(), r)
		})
		t.stopIfFailed()
		r.Version++
		t.here.holds(r, "updated many times over")
	}
}

// Four mutations, each sent eight times, for two places.
func sameInsertRaceAtTheQuota(t *trial) {
	for round := range t.suite.Rounds {
		name := strconv.Itoa(round)
		records := t.keys(4, "r"+name+"k%d", owner(name))
		t.contest("Inserts under a quota, each sent many times at once", keystore.ErrQuota, func(c int) error {
			return t.handle(c).admin.Insert(t.Context(), records[c%4], keystore.Quota{Max: 2, Now: now()})
		})
		if got := t.here.all(keystore.Filter{Owner: name}); len(got) != 2 {
			t.wrongf("List after 4 Inserts for 2 places, each sent 8 times: got %q", ids(got))
		}
		t.stopIfFailed()
	}
}
