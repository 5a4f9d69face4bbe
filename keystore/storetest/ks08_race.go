package storetest

import (
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"

	"github.com/claviger-go/claviger/keystore"
)

func updateRaceCases() []testCase {
	return []testCase{
		{"OneOfManyUpdates", adminStore, func(t *trial) { t.oneOfManyUpdates(func(int) *handle { return t.here }) }},
		{"OneOfManyUpdatesAcrossHandles", adminStore, func(t *trial) { t.oneOfManyUpdates(t.handle) }},
		{"EveryRetryCounts", adminStore, everyRetryCounts},
		{"RevocationStands", adminStore, revocationStands},
	}
}

// Exactly one contender wins each version.
func (t *trial) oneOfManyUpdates(through func(contender int) *handle) {
	t.here.insert(t.key("a"))
	v := uint64(0)
	for range t.suite.Rounds {
		v++
		var winner atomic.Int64
		won := t.contest("Update of the same version", keystore.ErrConflict, func(c int) error {
			err := through(c).admin.Update(t.Context(), t.key("a", version(v), named(strconv.Itoa(c))))
			if err == nil {
				winner.Store(int64(c))
			}
			return err
		})
		r := t.here.lookup("a")
		if won != 1 || r.Version != v+1 || r.Name != strconv.FormatInt(winner.Load(), 10) {
			t.wrongf("%d contenders updated version %d: %d succeeded, contender %d among them, and stored are version %d and contender %s's name",
				contenders, v, won, winner.Load(), r.Version, r.Name)
		}
		t.stopIfFailed()
	}
}

// retry reads, changes and writes until it succeeds.
func (h *handle) retry(id string, change edit) error {
	for {
		r, err := h.Lookup(h.t.Context(), id)
		if err != nil {
			return fmt.Errorf("%w: %w", keystore.ErrNotFound, err) // how the store says so is up to KS1
		}
		change(&r)
		r.Op = h.t.op()
		if err = h.admin.Update(h.t.Context(), r); !errors.Is(err, keystore.ErrConflict) {
			return err
		}
	}
}

// No change is lost when everybody tries again.
func everyRetryCounts(t *trial) {
	const each = 5
	t.here.insert(t.key("a"))
	t.contest("read, change and Update until it succeeds", nil, func(c int) error {
		for range each {
			if err := t.handle(c).retry("a", func(r *keystore.Record) { r.ParentSecret++ }); err != nil {
				return err
			}
		}
		return nil
	})
	r := t.there.lookup("a")
	if want := contenders * each; r.Version != uint64(want)+1 || r.ParentSecret != uint32(want) {
		t.wrongf("a counter in a record, after %d increments of version 1: got %d at version %d", want, r.ParentSecret, r.Version)
	}
}

// One revokes, all others rename.
func revocationStands(t *trial) {
	for round := range t.suite.Rounds {
		id := strconv.Itoa(round)
		t.here.insert(t.key(id))
		t.contest("Update of a record that is being revoked", keystore.ErrRevoked, func(c int) error {
			change := named(strconv.Itoa(c))
			if c == contenders/2 {
				change = revoked
			}
			return t.handle(c).retry(id, change)
		})
		t.stopIfFailed()
		if r := t.there.lookup(id); r.Revoked.IsZero() {
			t.wrongf("Lookup after a revocation among %d Updates: got a record that is not revoked, version %d", contenders-1, r.Version)
		}
		t.answer(t.here.retry(id, named("late")), keystore.ErrRevoked, "Update after a revocation among Updates")
		t.stopIfFailed()
	}
}
