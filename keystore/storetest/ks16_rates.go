package storetest

import (
	"time"
)

func rateCases() []testCase {
	return []testCase{
		{"UpToTheLimit", rateStore, rateUpToTheLimit},
		{"RefusedAddsNothing", rateStore, rateRefusedAddsNothing},
		{"Melts", rateStore, rateMelts},
		{"SeenElsewhere", rateStore, rateSeenElsewhere},
		{"CaseMatters", rateStore, rateOfIDsInOtherCase},
		{"OtherCosts", rateStore, rateOfOtherCosts},
		{"LowerLimit", rateStore, rateOfLowerLimit},
		{"Smallest", rateStore, rateOfTheSmallest},
		{"Race", rateStore, rateRace},
		{"MovesNoVersion", adminStore | rateStore, rateMovesNoVersion},
	}
}

// far is a cost of which next to nothing melts while a case runs.
const far = time.Hour

// takes calls Take, and checks what it answers; what is owed melts on the way, by a
// clock that is not the trial's.
func (h *handle) takes(id string, cost, limit time.Duration, want bool, most time.Duration) {
	h.t.Helper()
	const slack = time.Minute
	owed, taken, err := h.rates.Take(h.t.Context(), id, cost, limit)
	if !h.t.answer(err, nil, "Take of %v from %q through %s", cost, cut(id), h.name) {
		return
	}
	if taken != want || owed > most || owed < most-slack || owed < 0 {
		h.t.wrongf("Take of %v from %q, limit %v, through %s: got %v owed, taken %t; want %v or a little less, taken %t",
			cost, cut(id), limit, h.name, owed, taken, most, want)
	}
}

func rateUpToTheLimit(t *trial) {
	for n := range 5 {
		t.here.takes("a", far, 5*far, true, time.Duration(n+1)*far)
	}
	t.here.takes("a", far, 5*far, false, 5*far)
	t.here.takes("b", far, 5*far, true, far)
}

func rateRefusedAddsNothing(t *trial) {
	t.here.takes("a", far, 2*far, true, far)
	t.here.takes("a", far, 2*far, true, 2*far)
	for n := range 20 {
		t.handle(n).takes("a", far, 2*far, false, 2*far)
	}
	t.here.takes("a", far, 3*far, true, 3*far)
}

// What is owed is gone when it says so, and not before; time is the store's.
func rateMelts(t *trial) {
	const cost = 200 * time.Millisecond
	began := time.Now()
	t.here.takes("a", cost, cost, true, cost)
	tries := time.NewTicker(5 * time.Millisecond)
	defer tries.Stop()
	for {
		asked := time.Now()
		owed, taken, err := t.there.rates.Take(t.Context(), "a", cost, cost)
		switch since := time.Since(began); {
		case !t.answer(err, nil, "Take through %s", t.there.name):
			return
		case taken && since < cost-20*time.Millisecond: // clocks of two machines run alike, and not the same
			t.wrongf("Take through %s, %v after one of %v: got it taken, want it refused", t.there.name, since, cost)
			return
		case taken:
			return
		case owed > cost:
			t.wrongf("Take through %s: got %v owed, want at most %v", t.there.name, owed, cost)
			return
		case asked.Sub(began) > cost+t.suite.patience:
			t.wrongf("Take through %s, %v after one of %v: got it refused, want it taken", t.there.name, since, cost)
			return
		}
		<-tries.C
	}
}

func rateSeenElsewhere(t *trial) {
	for n := range 6 {
		t.handle(n).takes("a", far, 6*far, true, time.Duration(n+1)*far)
	}
	t.there.takes("a", far, 6*far, false, 6*far)
	t.here.takes("a", far, 6*far, false, 6*far)
}

func rateOfIDsInOtherCase(t *trial) {
	for _, id := range []string{"key", "KEY", "Key", alias("ab")} {
		t.here.takes(id, far, far, true, far)
		t.there.takes(id, far, far, false, far)
	}
}

// A key's rate may be edited.
func rateOfOtherCosts(t *trial) {
	t.here.takes("a", far, 10*far, true, far)
	t.there.takes("a", 3*far, 10*far, true, 4*far)
	t.here.takes("a", 7*far, 10*far, false, 4*far)
	t.there.takes("a", 6*far, 10*far, true, 10*far)
}

// Nobody pays for what the limit was before.
func rateOfLowerLimit(t *trial) {
	t.here.takes("a", 20*far, 20*far, true, 20*far)
	t.there.takes("a", far, 2*far, false, 2*far)
	t.here.takes("a", far, 3*far, true, 3*far)
}

// The highest rate that a record can have.
func rateOfTheSmallest(t *trial) {
	const cost = 100 * time.Microsecond
	for range 200 {
		owed, taken, err := t.here.rates.Take(t.Context(), "a", cost, 10_000*cost)
		if !t.answer(err, nil, "Take of %v", cost) {
			return
		}
		if !taken || owed < cost || owed > 200*cost {
			t.wrongf("Take of %v, limit %v: got %v owed, taken %t; want %v to %v, taken true", cost, 10_000*cost, owed, taken, cost, 200*cost)
			return
		}
	}
}

func rateRace(t *trial) {
	const each, places = 5, contenders * 2
	for range t.suite.Rounds {
		id := t.op()
		taken := make([]int, contenders)
		t.contest("Take of one id at once", nil, func(c int) error {
			for range each {
				_, ok, err := t.handle(c).rates.Take(t.Context(), id, far/4, places*far/4)
				if err != nil {
					return err
				}
				if ok {
					taken[c]++
				}
			}
			return nil
		})
		t.stopIfFailed()
		sum := 0
		for _, n := range taken {
			sum += n
		}
		if sum != places {
			t.wrongf("%d Takes at once where %d fit: got %d taken, want %[2]d", contenders*each, places, sum)
			return
		}
	}
}

func rateMovesNoVersion(t *trial) {
	r := t.key("a")
	t.here.insert(r)
	t.here.takes("a", far, 2*far, true, far)
	t.there.takes("a", far, 2*far, true, 2*far)
	t.here.holds(r, "after Take")
	t.here.takes("a", far, 2*far, false, 2*far)
	t.here.holds(r, "after a Take that was refused")
	t.here.remove("a")
	t.here.takes("a", far, 3*far, true, 3*far)
}
