package storetest

import (
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"github.com/claviger-go/claviger/keystore"
)

// usages are what is known: each of its ID and Secret.
type usages []keystore.Usage

// second is n whole seconds after an instant: what a LastUsed can hold.
func second(n int) time.Time { return at(n).Truncate(time.Second) }

func (h *handle) addUsage(u ...keystore.Usage) {
	h.t.Helper()
	h.t.answer(h.usage.AddUsage(h.t.Context(), u), nil, "AddUsage of %d through %s", len(u), h.name)
}

// used checks what Usage answers.
func (h *handle) used(want usages, ids ...string) {
	h.t.Helper()
	got, err := h.usage.Usage(h.t.Context(), ids)
	if !h.t.answer(err, nil, "Usage of %d ids through %s", len(ids), h.name) {
		return
	}
	type row struct {
		id     string
		secret uint32
	}
	left := make(map[row]keystore.Usage, len(want))
	for _, u := range want {
		left[row{u.ID, u.Secret}] = u
	}
	for _, u := range got {
		w, known := left[row{u.ID, u.Secret}]
		delete(left, row{u.ID, u.Secret})
		switch {
		case !known:
			h.t.wrongf("Usage of %d ids through %s: got %+v, want none of this id and secret, or no second one", len(ids), h.name, u)
		case u.Count != w.Count, !u.FirstUsed.Equal(w.FirstUsed), !u.LastUsed.Equal(w.LastUsed), u.Network != w.Network:
			h.t.wrongf("Usage through %s: got %+v, want %+v", h.name, u, w)
		case u.FirstUsed.Location() != time.UTC, u.LastUsed.Location() != time.UTC:
			h.t.wrongf("Usage through %s: got %+v, want its times in UTC", h.name, u)
		}
	}
	for _, w := range left {
		h.t.wrongf("Usage through %s: %+v is missing", h.name, w)
		return
	}
}

func usageCases() []testCase {
	return []testCase{
		{"Adds", usageStore, usageAdds},
		{"KeepsTheLater", usageStore, usageKeepsTheLater},
		{"KeepsTheEarlier", usageStore, usageKeepsTheEarlier},
		{"Network", usageStore, usageNetwork},
		{"SecretsApart", usageStore, usageOfSecretsApart},
		{"SameIDTwice", usageStore, usageOfTheSameIDTwice},
		{"SeenElsewhere", usageStore, usageSeenElsewhere},
		{"UnusedIsLeftOut", usageStore, unusedIsLeftOut},
		{"UnknownIDs", usageStore, usageOfUnknownIDs},
		{"Nothing", usageStore, usageOfNothing},
		{"WholeSeconds", usageStore, usageInWholeSeconds},
		{"CaseMatters", usageStore, usageOfIDsInOtherCase},
		{"LargeCounts", usageStore, largeCounts},
		{"LargeBatch", usageStore, largeUsageBatch},
		{"Concurrent", usageStore, concurrentUsage},
		{"MovesNoVersion", adminStore | usageStore, usageMovesNoVersion},
		{"BesideUpdates", adminStore | usageStore, usageBesideUpdates},
		{"SurvivesUpdate", adminStore | usageStore, usageSurvivesUpdate},
		{"WakesNobody", adminStore | usageStore | watcher, usageWakesNobody},
	}
}

// use is count uses of an id's first secret, all of them at when.
func use(id string, count uint64, when int) keystore.Usage {
	return keystore.Usage{ID: id, Secret: 1, Count: count, FirstUsed: second(when), LastUsed: second(when)}
}

// uses are count uses between two instants.
func uses(id string, count uint64, first, last int) keystore.Usage {
	u := use(id, count, last)
	u.FirstUsed = second(first)
	return u
}

func from(network string, u keystore.Usage) keystore.Usage {
	u.Network = netip.MustParsePrefix(network)
	return u
}

func usageAdds(t *trial) {
	id := t.put(t.key(alias("0a")))[0].ID
	for n := 1; n <= 5; n++ {
		t.here.addUsage(use(id, uint64(n), n))
		t.here.used(usages{uses(id, uint64(n*(n+1)/2), 1, n)}, id)
	}
}

func usageKeepsTheLater(t *trial) {
	id := t.put(t.key(alias("0a")))[0].ID
	t.here.addUsage(uses(id, 1, 0, 5))
	t.here.addUsage(use(id, 1, 3))
	t.here.used(usages{uses(id, 2, 0, 5)}, id)
	east := use(id, 1, 4)
	east.LastUsed = east.LastUsed.In(time.FixedZone("east", 9*3600))
	t.here.addUsage(east)
	t.here.used(usages{uses(id, 3, 0, 5)}, id)
	t.here.addUsage(use(id, 1, 6))
	t.here.used(usages{uses(id, 4, 0, 6)}, id)
}

func usageKeepsTheEarlier(t *trial) {
	id := t.put(t.key(alias("0a")))[0].ID
	t.here.addUsage(uses(id, 1, 5, 9))
	t.here.addUsage(use(id, 1, 7))
	t.here.used(usages{uses(id, 2, 5, 9)}, id)
	west := uses(id, 1, 3, 8)
	west.FirstUsed = west.FirstUsed.In(time.FixedZone("west", -9*3600))
	t.there.addUsage(west)
	t.here.used(usages{uses(id, 3, 3, 9)}, id)
	unknown := use(id, 1, 10)
	unknown.FirstUsed = time.Time{}
	t.here.addUsage(unknown)
	t.here.used(usages{uses(id, 4, 3, 10)}, id)
}

// The network is part of the last use: it comes with it, and goes with a later one.
func usageNetwork(t *trial) {
	id := t.put(t.key(alias("0a")))[0].ID
	t.here.addUsage(from("192.0.2.0/24", use(id, 1, 5)))
	t.here.used(usages{from("192.0.2.0/24", use(id, 1, 5))}, id)
	t.there.addUsage(from("198.51.100.0/24", uses(id, 1, 1, 3)))
	t.here.used(usages{from("192.0.2.0/24", uses(id, 2, 1, 5))}, id)
	t.there.addUsage(from("2001:db8::/48", use(id, 1, 7)))
	t.here.used(usages{from("2001:db8::/48", uses(id, 3, 1, 7))}, id)
	t.here.addUsage(from("0.0.0.0/24", use(id, 1, 8)), from("203.0.113.0/24", use(id, 1, 6)))
	t.here.used(usages{from("0.0.0.0/24", uses(id, 5, 1, 8))}, id)
	t.here.addUsage(use(id, 1, 9))
	t.here.used(usages{uses(id, 6, 1, 9)}, id)
}

// Who still uses the old secret of a rotated key has to be seen beside the others.
func usageOfSecretsApart(t *trial) {
	held := t.put(t.key(alias("0a")), t.key(alias("0b")))
	id := held[0].ID
	with := func(secret uint32, u keystore.Usage) keystore.Usage {
		u.Secret = secret
		return u
	}
	t.here.addUsage(from("192.0.2.0/24", with(1, use(id, 1, 1))), with(2, use(id, 20, 2)), with(0, use(id, 300, 3)), with(1<<32-1, use(id, 4000, 4)))
	t.there.addUsage(with(2, use(id, 20, 8)), from("198.51.100.0/24", with(1, use(id, 1, 9))))
	want := usages{
		from("198.51.100.0/24", with(1, uses(id, 2, 1, 9))), with(2, uses(id, 40, 2, 8)),
		with(0, use(id, 300, 3)), with(1<<32-1, use(id, 4000, 4)),
	}
	t.here.used(want, id)
	if other := held[len(held)-1].ID; other != id {
		t.here.addUsage(with(2, use(other, 7, 7)))
		t.there.used(append(want, with(2, use(other, 7, 7))), id, other)
	}
}

func usageOfTheSameIDTwice(t *trial) {
	id := t.put(t.key(alias("0a")))[0].ID
	t.here.addUsage(use(id, 1, 2), use(id, 2, 9), use(id, 3, 1))
	t.here.used(usages{uses(id, 6, 1, 9)}, id)
}

func usageSeenElsewhere(t *trial) {
	id := t.put(t.key(alias("0a")))[0].ID
	for n := range 6 {
		t.handle(n).addUsage(use(id, 1, n))
		t.handle(n+1).used(usages{uses(id, uint64(n)+1, 0, n)}, id)
	}
}

func unusedIsLeftOut(t *trial) {
	held := t.put(t.key(alias("0a")), t.key(alias("0b")))
	t.here.used(usages{}, held[0].ID, "never")
	t.here.addUsage(use(held[0].ID, 1, 1))
	want := usages{use(held[0].ID, 1, 1)}
	t.here.used(want, append(ids(held), "never")...)
}

// A key may be deleted between its use and the flush.
func usageOfUnknownIDs(t *trial) {
	id := t.put(t.key(alias("0a")))[0].ID
	t.here.addUsage(use("never", 1, 1), use(id, 2, 2), use(alias("ff"), 3, 3))
	t.here.used(usages{use(id, 2, 2)}, id)
	t.here.lacks("never", "after its usage was added")
}

func usageOfNothing(t *trial) {
	id := t.put(t.key(alias("0a")))[0].ID
	t.here.addUsage()
	t.here.used(usages{})
	t.here.used(usages{}, id)
}

func usageInWholeSeconds(t *trial) {
	id := t.put(t.key(alias("0a")))[0].ID
	for n, when := range []time.Time{time.Unix(0, 0), time.Unix(1, 0), second(0), time.Date(2038, 1, 19, 3, 14, 8, 0, time.UTC)} {
		t.here.addUsage(keystore.Usage{ID: id, Count: 1, FirstUsed: when, LastUsed: when})
		t.here.used(usages{{ID: id, Count: uint64(n) + 1, FirstUsed: time.Unix(0, 0), LastUsed: when}}, id)
	}
}

func usageOfIDsInOtherCase(t *trial) {
	held := t.put(t.key("key"), t.key("KEY"), t.key(alias("ab")))
	want := usages{}
	var asked []string
	for n, r := range held {
		u := use(r.ID, uint64(n)+1, n)
		want, asked = append(want, u), append(asked, r.ID)
		t.here.addUsage(u)
	}
	t.here.used(want, asked...)
}

func largeCounts(t *trial) {
	id := t.put(t.key(alias("0a")))[0].ID
	const large = 1 << 40
	t.here.addUsage(use(id, large+1, 1))
	t.here.addUsage(use(id, large, 2))
	t.here.used(usages{uses(id, 2*large+1, 1, 2)}, id)
}

// Keys may flush 100,000 ids at once: more than one statement can have
// parameters.
func largeUsageBatch(t *trial) {
	records := t.keys(t.suite.records/5, "k%d")
	if t.suite.AdminStore {
		t.fill(records)
	} else {
		records = t.put(records...)
	}
	want := usages{}
	var batch []keystore.Usage
	var asked []string
	for n, r := range records {
		batch = append(batch, use(r.ID, 1, n), use(r.ID, 2, -n))
		want, asked = append(want, uses(r.ID, 3, -n, n)), append(asked, r.ID)
	}
	for n := range 7 * t.suite.records {
		batch = append(batch, use(fmt.Sprintf("unknown%d", n), 1, n))
		asked = append(asked, fmt.Sprintf("never%d", n))
	}
	t.here.addUsage(batch...)
	t.there.used(want, asked...)
}

func concurrentUsage(t *trial) {
	held := t.put(t.key(alias("0a")), t.key(alias("0b")))
	const each = 10
	t.contest("AddUsage beside others", nil, func(c int) error {
		for n := range each {
			batch := []keystore.Usage{use(held[0].ID, 2, c*each+n), use(held[len(held)-1].ID, 0, c)}
			if c%4 >= 2 { // in another order, which must not lock the one out that has begun
				batch[0], batch[1] = batch[1], batch[0]
			}
			if err := t.handle(c).usage.AddUsage(t.Context(), batch); err != nil {
				return err
			}
		}
		return nil
	})
	t.here.used(usages{uses(held[0].ID, 2*contenders*each, 0, contenders*each-1)}, held[0].ID)
}

func usageMovesNoVersion(t *trial) {
	r := t.key("a")
	t.here.insert(r)
	for n := range 5 {
		t.handle(n).addUsage(use("a", 1, n))
		t.here.holds(r, "after AddUsage")
	}
	r = t.here.update(r)
	t.there.addUsage(use("a", 1, 9))
	t.here.holds(r, "after AddUsage and an Update")
	t.answer(t.here.admin.Delete(t.Context(), "a", r.Version), nil, "Delete at the version that AddUsage left alone")
}

// Counting stands in nobody's way, and undoes nothing.
func usageBesideUpdates(t *trial) {
	const each = 5
	var records []keystore.Record
	for c := range contenders {
		records = append(records, t.key(strconv.Itoa(c)))
	}
	t.here.insert(records...)
	t.contest("Update and AddUsage of one record at once", nil, func(c int) error {
		for n := range each {
			if c%2 == 1 {
				if err := t.handle(n).usage.AddUsage(t.Context(), []keystore.Usage{use(strconv.Itoa(c-1), 1, n)}); err != nil {
					return err
				}
				continue
			}
			records[c].Op = t.op()
			if err := t.handle(n).admin.Update(t.Context(), records[c]); err != nil {
				return err
			}
			records[c].Version++
		}
		return nil
	})
	t.stopIfFailed()
	for c := 0; c < contenders; c += 2 {
		t.here.holds(records[c], "after Updates beside AddUsage")
		t.here.used(usages{uses(records[c].ID, each, 0, each-1)}, records[c].ID)
	}
}

func usageSurvivesUpdate(t *trial) {
	r := t.key("a")
	t.here.insert(r)
	t.here.addUsage(use("a", 3, 1))
	r = t.there.update(r)
	revoked(&r)
	t.here.update(r)
	t.here.used(usages{use("a", 3, 1)}, "a")
}

// A Watcher may say at any time that anything may have changed, so it is given
// three chances to keep quiet; each for some times as long as it takes to speak.
func usageWakesNobody(t *trial) {
	r, fence := t.key("used"), t.key("fence")
	t.here.insert(r, fence)
	ear := t.here.listen()
	var calls [][]string
	for range 3 {
		var slowest time.Duration
		for range 3 {
			since, began := ear.mark(), time.Now()
			fence = t.there.update(fence)
			t.hears(ear, since, fence.ID, "an Update")
			t.stopIfFailed()
			slowest = max(slowest, time.Since(began))
		}
		mark := ear.mark()
		for n := range 5 {
			t.handle(n).addUsage(use(r.ID, 1, n))
		}
		quiet := min(4*slowest+50*time.Millisecond, t.suite.WatchDelay)
		if !ear.speaks(mark, quiet) {
			return
		}
		calls = ear.since(mark)
	}
	t.wrongf("Watch after AddUsage, tried three times: called changed with %q, want nothing", calls)
}
