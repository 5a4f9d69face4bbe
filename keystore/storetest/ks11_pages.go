package storetest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/claviger-go/claviger/keystore"
)

func pageCases() []testCase {
	return []testCase{
		{"NewestFirst", adminStore, newestComeFirst},
		{"EqualTimes", adminStore, equalTimes},
		{"EqualTimesAcrossUpdates", adminStore, equalTimesAcrossUpdates},
		{"Limits", adminStore, limits},
		{"Cursors", adminStore, everyPageSize},
		{"ManyRecords", adminStore, manyRecords},
	}
}

// The order of creation counts, not that of arrival or of ids.
func newestComeFirst(t *trial) {
	id := func(place int) string { return fmt.Sprintf("k%02d", place*11%30) }
	var want []string
	for n := range 30 {
		place := n * 7 % 30
		t.here.insert(t.key(id(place), created(place)))
		want = append(want, id(29-n))
	}
	for _, limit := range []int{0, 1, 7, 30, 31} {
		if got := ids(t.there.all(keystore.Filter{Limit: limit})); !slices.Equal(got, want) {
			t.wrongf("List with Limit %d: got %q, want %q", limit, got, want)
		}
	}
}

// Records of one instant have an order too, or pages would repeat or lose some.
func equalTimes(t *trial) {
	names := strings.Fields("a b c 0 : aa ab a0 zz z 1 :0")
	for _, id := range names {
		t.here.insert(t.key(id))
	}
	want := ids(t.here.all(keystore.Filter{}))
	for limit := range 14 {
		got := ids(t.handle(limit).all(keystore.Filter{Limit: limit}))
		if !slices.Equal(got, want) {
			t.wrongf("List with Limit %d of records created at one instant: got %q, and without a limit %q", limit, got, want)
		}
	}
	slices.Sort(want)
	slices.Sort(names)
	if !slices.Equal(want, names) {
		t.wrongf("List of records created at one instant: got %q, want %q in any order", want, names)
	}
}

func equalTimesAcrossUpdates(t *trial) {
	records := t.keys(12, "k%d", created(0))
	t.here.insert(records...)
	before := ids(t.here.all(keystore.Filter{Limit: 5}))
	for _, n := range []int{0, 7, 3, 11} {
		records[n] = t.there.update(records[n])
	}
	if after := ids(t.here.all(keystore.Filter{Limit: 5})); !slices.Equal(after, before) {
		t.wrongf("List after Updates: got %q, want the order of before, %q", after, before)
	}
}

// Keys prunes and counts with the largest page, and lists with the default.
func limits(t *trial) {
	records := t.keys(keystore.MaxPage+1, "k%d")
	t.fill(records)
	for _, limit := range []int{0, 1, 99, keystore.MaxPage, keystore.MaxPage + 1, 1 << 30} {
		page := t.here.list(keystore.Filter{Limit: limit})
		if len(page.Records) == 0 || page.Next == "" {
			t.wrongf("List of %d records with Limit %d: got %d records and the cursor %q, want some and a cursor",
				len(records), limit, len(page.Records), cut(page.Next))
		}
	}
	t.exactly(t.here.all(keystore.Filter{Limit: 1 << 30}), records, "List with a Limit beyond MaxPage")
	t.exactly(t.here.all(keystore.Filter{}), records, "List without a Limit")
}

func everyPageSize(t *trial) {
	records := t.keys(23, "k%d", owner("x"))
	t.here.insert(records...)
	t.here.insert(t.keys(23, "other%d")...)
	for limit := 1; limit <= 24; limit++ {
		t.exactly(t.handle(limit).all(keystore.Filter{Owner: "x", Limit: limit}), records, "List of an owner with Limit %d", limit)
	}
}

func manyRecords(t *trial) {
	records := t.keys(t.suite.records, "k%d")
	for n := range records {
		records[n].Created = at(n / 3)
		if n%10 == 0 {
			records[n].Owner = "x"
		}
	}
	t.fill(records)
	for _, f := range []keystore.Filter{{Limit: 1000}, {Limit: 37, Owner: "x"}} {
		want := only(records, func(r *keystore.Record) bool { return matches(&f, r) })
		got := t.there.all(f)
		t.exactly(got, want, "List %+v of %d records", f, len(records))
		t.newestFirst(got)
	}
}
