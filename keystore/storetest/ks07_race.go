package storetest

import (
	"fmt"
	"strconv"
	"sync/atomic"

	"github.com/claviger-go/claviger/keystore"
)

func quotaRaceCases() []testCase {
	return []testCase{
		{"QuotaRace", adminStore, func(t *trial) { t.quotaRace(func(int) *handle { return t.here }) }},
		{"QuotaRaceAcrossHandles", adminStore, func(t *trial) { t.quotaRace(t.handle) }},
		{"QuotaRaceForTheLastPlace", adminStore, raceForTheLastPlace},
		{"QuotaRaceWithChurn", adminStore, quotaChurn},
	}
}

// Exactly as many get in as there are places.
func (t *trial) quotaRace(through func(contender int) *handle) {
	for round := range t.suite.Rounds {
		places := 1 + round*7%contenders
		name := strconv.Itoa(round)
		won := t.contest("Insert under a quota", keystore.ErrQuota, func(c int) error {
			r := t.key(fmt.Sprintf("r%dc%d", round, c), owner(name))
			return through(c).admin.Insert(t.Context(), r, keystore.Quota{Max: places, Now: now()})
		})
		stored := len(t.here.all(keystore.Filter{Owner: name}))
		if won != places || stored != places {
			t.wrongf("%d contenders for %d places: %d succeeded, and %d records are stored", contenders, places, won, stored)
		}
		t.stopIfFailed()
	}
}

// As in life: the owner has keys, one place is left, and a revoked one counts not.
func raceForTheLastPlace(t *trial) {
	for round := range t.suite.Rounds {
		name := strconv.Itoa(round)
		t.here.insert(t.keys(3, "r"+name+"k%d", owner(name))...)
		t.here.insert(t.key("r"+name+"revoked", owner(name), revoked))
		won := t.contest("Insert under a quota", keystore.ErrQuota, func(c int) error {
			r := t.key(fmt.Sprintf("r%dc%d", round, c), owner(name))
			return t.handle(c).admin.Insert(t.Context(), r, keystore.Quota{Max: 4, Now: now()})
		})
		if won != 1 {
			t.wrongf("%d contenders for the last of 4 places: %d succeeded", contenders, won)
		}
		t.stopIfFailed()
	}
}

// Those who give their place back let others in, and never one too many. A key
// is counted from when its Insert returned until its Delete is sent, so the true
// number is never lower.
func quotaChurn(t *trial) {
	const places = 3
	var held, most atomic.Int64
	together(contenders, func(c int) {
		h := t.handle(c)
		for n := range t.suite.Rounds {
			r := t.key(fmt.Sprintf("c%dn%d", c, n))
			err := h.admin.Insert(t.Context(), r, keystore.Quota{Max: places, Now: now()})
			if err == nil {
				if now := held.Add(1); now > places {
					most.Store(now)
				}
				held.Add(-1)
				err = h.admin.Delete(t.Context(), r.ID, r.Version)
			}
			if err != nil {
				t.answer(err, keystore.ErrQuota, "Insert and Delete under a quota")
			}
		}
	})
	if most.Load() > places {
		t.wrongf("contenders for %d places, each given back at once: %d were taken at the same time", places, most.Load())
	}
	t.stopIfFailed()
	for range places {
		t.inQuota(t.here, places, nil, "when all places have been given back")
	}
	t.inQuota(t.here, places, keystore.ErrQuota, "when all are taken again")
}
