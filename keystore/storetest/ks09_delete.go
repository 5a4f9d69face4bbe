package storetest

import (
	"fmt"
	"strconv"
	"sync/atomic"

	"github.com/claviger-go/claviger/keystore"
)

func deleteCases() []testCase {
	return []testCase{
		{"Nothing", adminStore, deleteNothing},
		{"AnyVersion", adminStore, func(t *trial) { t.deleteOnce(t.key("a", version(3)), 0, nil) }},
		{"ItsVersion", adminStore, func(t *trial) { t.deleteOnce(t.key("a", version(3)), 3, nil) }},
		{"ItsVersionRevoked", adminStore, func(t *trial) { t.deleteOnce(t.key("a", version(3), revoked), 3, nil) }},
		{"AnyVersionRevoked", adminStore, func(t *trial) { t.deleteOnce(t.key("a", version(3), revoked), 0, nil) }},
		{"EarlierVersion", adminStore, func(t *trial) { t.deleteOnce(t.key("a", version(3)), 2, keystore.ErrConflict) }},
		{"LaterVersion", adminStore, func(t *trial) { t.deleteOnce(t.key("a", version(3)), 4, keystore.ErrConflict) }},
		{"UpdatedElsewhere", adminStore, deleteUpdatedElsewhere},
		{"LeavesChildren", adminStore, deleteLeavesChildren},
		{"GoneFromLists", adminStore, deletedIsGoneFromLists},
		{"EitherDeletedOrUpdated", adminStore, eitherDeletedOrUpdated},
		{"StaysDeleted", adminStore, staysDeleted},
	}
}

func deleteNothing(t *trial) {
	r := t.key("a")
	t.here.insert(r)
	t.here.remove("a")
	for _, h := range []*handle{t.here, t.there} {
		for _, id := range []string{"a", "never", alias("0a")} {
			for _, v := range []uint64{0, 1, 2} {
				t.answer(h.admin.Delete(t.Context(), id, v), nil, "Delete of nothing, at version %d", v)
			}
		}
	}
}

func (t *trial) deleteOnce(r keystore.Record, v uint64, want error) {
	bystander := t.key("b", version(r.Version))
	t.here.insert(r, bystander)
	t.answer(t.there.admin.Delete(t.Context(), r.ID, v), want, "Delete at version %d of version %d", v, r.Version)
	if want != nil {
		t.here.holds(r, "after a Delete that was refused")
	} else {
		t.here.lacks(r.ID, "after its Delete")
		t.answer(t.here.admin.Delete(t.Context(), r.ID, v), nil, "Delete sent again")
	}
	t.here.holds(bystander, "after a Delete of another")
}

// Pruning lists, and deletes what it saw: not what was renewed meanwhile.
func deleteUpdatedElsewhere(t *trial) {
	t.here.insert(t.key("a"))
	seen := t.here.lookup("a")
	r := t.there.update(seen)
	t.answer(t.here.admin.Delete(t.Context(), "a", seen.Version), keystore.ErrConflict, "Delete of a version updated elsewhere since it was read")
	t.here.holds(r, "after a Delete of an older version")
}

// A store deletes one record. That children die with their parent is up to Keys.
func deleteLeavesChildren(t *trial) {
	child := t.key("child", parent("a"))
	t.here.insert(t.key("a"), child)
	t.here.remove("a")
	t.here.holds(child, "after the Delete of its parent")
}

func deletedIsGoneFromLists(t *trial) {
	records := t.keys(6, "k%d", owner("x"), typ("t"), parent("p"), kind(keystore.KindSession), expires(at(9)))
	t.here.insert(records...)
	t.here.remove("k1", "k2", "k5")
	for _, f := range []keystore.Filter{
		{}, {Owner: "x"}, {Type: "t"}, {Parent: "p"}, {Kind: keystore.KindSession}, {ExpiredBefore: at(99)}, {Owner: "x", Limit: 1},
	} {
		t.exactly(t.there.all(f), []keystore.Record{records[0], records[3], records[4]}, "List %+v after three of six were deleted", f)
	}
}

// Of those who delete a version and those who update it, one side wins.
func eitherDeletedOrUpdated(t *trial) {
	for round := range t.suite.Rounds {
		id := strconv.Itoa(round)
		t.here.insert(t.key(id))
		answers := make([]error, contenders)
		together(contenders, func(c int) {
			h := t.handle(c / 2)
			if c%2 == 0 {
				answers[c] = h.admin.Update(t.Context(), t.key(id))
			} else {
				answers[c] = h.admin.Delete(t.Context(), id, 1)
			}
		})
		updated := int64(0)
		for c := 0; c < contenders; c += 2 {
			if answers[c] == nil {
				updated++
			}
		}
		loser, late := keystore.ErrNotFound, error(nil) // the Deletes won
		if updated > 0 {
			loser, late = keystore.ErrConflict, keystore.ErrConflict
		}
		for c, err := range answers {
			switch {
			case c%2 == 1:
				t.answer(err, late, "Delete at version 1, beside Updates of which %d succeeded", updated)
			case err != nil:
				t.answer(err, loser, "Update of version 1, beside Deletes and with %d Updates that succeeded", updated)
			}
		}
		r, err := t.there.Lookup(t.Context(), id)
		if updated > 1 || updated == 1 && (err != nil || r.Version != 2) {
			t.wrongf("%d Updates of version 1 succeeded, want at most one; Lookup then: version %d, %v", updated, r.Version, err)
		}
		if updated == 0 {
			t.there.lacks(id, "after Deletes of which one succeeded")
		}
		t.stopIfFailed()
	}
}

// An Update on its way brings nothing back.
func staysDeleted(t *trial) {
	for round := range t.suite.Rounds {
		id := fmt.Sprintf("k%d", round)
		t.here.insert(t.key(id))
		var gone atomic.Bool
		t.contest("Update of a record that is being deleted", keystore.ErrNotFound, func(c int) error {
			if c == contenders/2 {
				err := t.handle(c).admin.Delete(t.Context(), id, 0)
				gone.Store(true)
				return err
			}
			late := gone.Load()
			err := t.handle(c).retry(id, named("renamed"))
			if late && err == nil {
				t.wrongf("Update that began after the Delete had returned: got nil, want keystore.ErrNotFound")
			}
			return err
		})
		t.stopIfFailed()
		t.there.lacks(id, "after its Delete, beside Updates")
	}
}
