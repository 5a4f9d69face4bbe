package storetest

import (
	"slices"
	"strconv"
	"time"

	"github.com/claviger-go/claviger/keystore"
)

// instants are where stores lose time: at the limits of seconds in 31 and 32
// bits, of nanoseconds in 63 bits, at zeros and nines.
func instants() []struct {
	name string
	at   time.Time
} {
	east, west := time.FixedZone("east", 5*3600+30*60), time.FixedZone("west", -11*3600)
	fine := at(0).Add(456 * time.Microsecond)
	return []struct {
		name string
		at   time.Time
	}{
		{"Epoch", time.Unix(0, 0).UTC()},
		{"EpochAndAMicrosecond", time.UnixMicro(1).UTC()},
		{"Year1970InTheWest", time.Date(1970, 1, 1, 1, 0, 0, 0, time.UTC).In(west)},
		{"WholeSecond", at(0).Truncate(time.Second)},
		{"Tenth", at(0).Truncate(time.Second).Add(100 * time.Millisecond)},
		{"Microseconds", fine},
		{"LastMicrosecondOfASecond", at(0).Truncate(time.Second).Add(999999 * time.Microsecond)},
		{"ZoneEast", fine.In(east)},
		{"ZoneWest", fine.In(west)},
		{"LeapDay", time.Date(2028, 2, 29, 23, 59, 59, 999999000, time.UTC)},
		{"HourThatComesTwice", time.Date(2026, 10, 25, 0, 30, 0, 1000, time.UTC)},
		{"Year2038", time.Date(2038, 1, 19, 3, 14, 8, 0, time.UTC)},
		{"Year2106", time.Date(2106, 2, 7, 6, 28, 16, 1000, time.UTC)},
		{"Year2262", time.Date(2262, 4, 11, 23, 47, 16, 854776000, time.UTC)},
		{"Year9999", time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC)},
	}
}

func timeCases() []testCase {
	cases := []testCase{
		{"Zero", anyStore, func(t *trial) { t.keepsTime(time.Time{}) }},
		{"NanosecondsAreCut", adminStore, nanosecondsAreCut},
	}
	for _, instant := range instants() {
		cases = append(cases, testCase{instant.name, anyStore, func(t *trial) { t.keepsTime(instant.at) }})
	}
	return append(cases,
		testCase{"OrderOfCreation", adminStore, orderOfCreation},
		testCase{"ExpiryInFilters", adminStore, expiryInFilters},
		testCase{"ExpiryInQuotas", adminStore, expiryInQuotas},
	)
}

// timed is a record with this time in every place. Created is never zero: Keys
// sets it.
func (t *trial) timed(id string, when time.Time) keystore.Record {
	return t.key(id, func(r *keystore.Record) {
		r.NotBefore, r.Expires = when, when
		r.Secrets[0].Expires = when
		r.Generation.Issued, r.Generation.Expires = when, when
		if !when.IsZero() {
			r.Created, r.Secrets[0].Created = when, when
			r.Suspended = keystore.Mark{At: when, Reason: keystore.ReasonMisuse}
		}
	})
}

func (t *trial) keepsTime(when time.Time) {
	want := t.timed(alias("0a"), when.UTC())
	given := t.timed(alias("0a"), when)
	given.Op = want.Op
	held := t.put(given)[0]
	if !t.suite.AdminStore {
		t.here.holds(held, "stored at "+when.String())
		t.inUTC(t.here.lookup(held.ID), "Lookup")
		return
	}
	t.here.holds(want, "inserted at "+when.String())
	t.inUTC(t.here.lookup(want.ID), "Lookup")
	want = t.there.update(want)
	t.here.holds(want, "updated at "+when.String())
	for _, r := range t.here.all(keystore.Filter{}) {
		t.same(r, want, "List of what was stored at %v", when)
		t.inUTC(r, "List")
	}
}

// inUTC checks the zone of every time in a record. What time it is, same checks.
func (t *trial) inUTC(r keystore.Record, what string) {
	t.Helper()
	times := []time.Time{
		r.Created, r.NotBefore, r.Expires, r.Generation.Issued, r.Generation.Expires, r.Suspended.At, r.Revoked.At,
	}
	for _, s := range r.Secrets {
		times = append(times, s.Created, s.Expires)
	}
	for _, at := range times {
		if at.Location() != time.UTC {
			t.wrongf("%s: got the time %v, want it in UTC", what, at)
			return
		}
	}
}

func nanosecondsAreCut(t *trial) {
	fine := at(0).Add(456 * time.Microsecond)
	for n, beyond := range []time.Duration{1, 499, 500, 999} {
		id := strconv.Itoa(n)
		want, given := t.timed(id, fine), t.timed(id, fine.Add(beyond))
		given.Op = want.Op
		t.here.insert(given)
		t.here.holds(want, "inserted with a fraction of a microsecond, which is cut off and not rounded")
		given.Op = t.op()
		want.Op, want.Version = given.Op, 2
		t.answer(t.here.admin.Update(t.Context(), given), nil, "Update")
		t.here.holds(want, "updated with a fraction of a microsecond, which is cut off and not rounded")
	}
}

func orderOfCreation(t *trial) {
	var records []keystore.Record
	for n, instant := range instants() {
		for step := range 2 {
			when := instant.at.Add(time.Duration(-step) * time.Microsecond)
			if when.UTC().Year() >= 1970 {
				records = append(records, t.key(strconv.Itoa(2*n+step), func(r *keystore.Record) { r.Created = when }))
			}
		}
	}
	t.here.insert(records...)
	for _, limit := range []int{0, 1, 3} {
		got := t.there.all(keystore.Filter{Limit: limit})
		t.exactly(got, records, "List with Limit %d", limit)
		t.newestFirst(got)
	}
}

// At each instant, what expires is expired from then on, and not before.
func expiryInFilters(t *trial) {
	for n, instant := range instants() {
		name := strconv.Itoa(n)
		t.here.insert(t.key(name, owner(name), expires(instant.at)), t.key(name+"never", owner(name)))
		for _, tc := range []struct {
			before time.Time
			want   []string
		}{
			{instant.at.Add(-time.Microsecond), nil},
			{instant.at, nil},
			{instant.at.UTC(), nil},
			{instant.at.Add(time.Microsecond), []string{name}},
			{instant.at.Add(time.Microsecond).In(time.FixedZone("east", 9*3600)), []string{name}},
		} {
			if y := tc.before.UTC().Year(); y < 1970 || y > 9999 {
				continue
			}
			if got := ids(t.there.all(keystore.Filter{Owner: name, ExpiredBefore: tc.before})); !slices.Equal(got, tc.want) {
				t.wrongf("List of what expired before %v, where something expires at %v: got %q, want %q", tc.before, instant.at, got, tc.want)
			}
		}
	}
}

func expiryInQuotas(t *trial) {
	for n, instant := range instants() {
		name := strconv.Itoa(n)
		t.here.insert(t.key(name, owner(name), expires(instant.at)))
		for step, want := range []error{nil, keystore.ErrQuota} {
			when := instant.at.Add(time.Duration(-step) * time.Microsecond)
			if when.UTC().Year() < 1970 {
				continue
			}
			id := name + "at" + strconv.Itoa(step)
			err := t.there.admin.Insert(t.Context(), t.key(id, owner(name)), keystore.Quota{Max: 1, Now: when})
			t.answer(err, want, "Insert under Quota.Max 1 at %v, beside a record that expires at %v", when, instant.at)
			if want == nil {
				t.there.remove(id)
			}
		}
	}
}
