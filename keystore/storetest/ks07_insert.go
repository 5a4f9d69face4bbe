package storetest

import (
	"strconv"

	"github.com/claviger-go/claviger/keystore"
)

func insertCases() []testCase {
	cases := []testCase{
		{"ExistingID", adminStore, insertExisting},
		{"ExistingDeadRecord", adminStore, insertExistingDead},
		{"ExistingIDWithinQuota", adminStore, insertExistingWithinQuota},
		{"AgainAfterDelete", adminStore, insertAfterDelete},
		{"VersionAsGiven", adminStore, insertKeepsVersion},
		{"OneOfManyInserts", adminStore, oneOfManyInserts},
	}
	return append(append(cases, quotaCases()...), quotaRaceCases()...)
}

func insertExisting(t *trial) {
	r := t.key("a")
	t.here.insert(r)
	for _, other := range []keystore.Record{
		t.key("a"),
		t.key("a", version(2)),
		t.key("a", owner("another"), typ("other"), kind(keystore.KindSession)),
		t.key("a", revoked),
	} {
		for _, h := range []*handle{t.here, t.there} {
			t.answer(h.admin.Insert(t.Context(), other, keystore.Quota{}), keystore.ErrExists, "Insert of an existing id")
			t.here.holds(r, "after an Insert of its id")
		}
	}
	if listed := ids(t.here.all(keystore.Filter{})); len(listed) != 1 {
		t.wrongf("List after Inserts of one id: got %q, want it once", listed)
	}
}

// A key that is revoked must not come back by being issued again.
func insertExistingDead(t *trial) {
	for n, r := range []keystore.Record{t.key("0", revoked), t.key("1", expires(at(-1))), t.key("2", suspended)} {
		t.here.insert(r)
		again := t.key(strconv.Itoa(n))
		t.answer(t.here.admin.Insert(t.Context(), again, keystore.Quota{Max: 9, Now: at(0)}), keystore.ErrExists, "Insert of the id of a dead record")
		t.here.holds(r, "after an Insert of its id")
	}
}

func insertExistingWithinQuota(t *trial) {
	r := t.key("a")
	t.here.insert(r)
	quota := keystore.Quota{Max: 2, Now: at(0)}
	t.answer(t.here.admin.Insert(t.Context(), t.key("a"), quota), keystore.ErrExists, "Insert of an existing id with room for one more")
	t.answer(t.here.admin.Insert(t.Context(), t.key("b"), quota), nil, "Insert into the place that is still free")
	// Both would be true; which is said makes no difference.
	err := t.here.admin.Insert(t.Context(), t.key("a"), quota)
	if !isAny(err, keystore.ErrExists, keystore.ErrQuota) {
		t.wrongf("Insert of an existing id over quota: got %s, want keystore.ErrExists or keystore.ErrQuota", describe(err))
	}
	t.here.holds(r, "after Inserts of its id")
}

func insertAfterDelete(t *trial) {
	for n := range 5 {
		r := t.key("a", named(strconv.Itoa(n)), version(uint64(n)+3))
		t.here.insert(r)
		t.here.holds(r, "inserted after its id was deleted")
		t.there.remove("a")
	}
}

// Keys starts at the Unix time in microseconds, so that no id repeats a version.
// Numbers beyond 2^31, and those that a double cannot tell apart by 14 digits,
// have to survive.
func insertKeepsVersion(t *trial) {
	for n, v := range []uint64{1, 2, 1<<31 - 1, 1 << 31, 1<<32 + 1, uint64(at(0).UnixMicro()), uint64(at(0).UnixMicro()) + 1, 1<<53 - 2} {
		r := t.key(strconv.Itoa(n), version(v))
		t.here.insert(r)
		t.here.holds(r, "inserted with this version")
		r = t.here.update(r)
		t.here.holds(r, "updated from this version")
		t.answer(t.here.admin.Delete(t.Context(), r.ID, v), keystore.ErrConflict, "Delete at version %d of version %d", v, r.Version)
		t.answer(t.here.admin.Delete(t.Context(), r.ID, v+1), nil, "Delete at version %d", v+1)
	}
}

func oneOfManyInserts(t *trial) {
	for round := range t.suite.Rounds {
		id := strconv.Itoa(round)
		won := t.contest("Insert of the same id", keystore.ErrExists, func(c int) error {
			return t.handle(c).admin.Insert(t.Context(), t.key(id, named(strconv.Itoa(c))), keystore.Quota{})
		})
		if won != 1 {
			t.wrongf("%d contenders inserted the same id, each with an Op of its own: %d succeeded, want 1", contenders, won)
		}
		t.stopIfFailed()
	}
}
