package storetest

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/claviger-go/claviger/keystore"
)

func listCases() []testCase {
	return append(append(filterCases(), pageCases()...), cursorCases()...)
}

func filterCases() []testCase {
	cases := []testCase{
		{"NothingStored", adminStore, nothingStored},
		{"DeadOnesToo", adminStore, listsDeadOnes},
		{"FilterFollowsUpdates", adminStore, filterFollowsUpdates},
		{"FilterIsExact", adminStore, filterIsExact},
		{"FiltersCombined", adminStore, filtersCombined},
	}
	for _, row := range []struct {
		name string
		f    keystore.Filter
		want string
	}{
		{"All", keystore.Filter{}, "5 4 3 2 1"},
		{"Owner", keystore.Filter{Owner: "x"}, "3 1"},
		{"Kind", keystore.Filter{Kind: keystore.KindAPIKey}, "5 2 1"},
		{"Type", keystore.Filter{Type: "mcd"}, "4 3"},
		{"Parent", keystore.Filter{Parent: "p"}, "3 2"},
		{"ParentOfNobody", keystore.Filter{Parent: "1"}, ""},
		{"ExpiredBeforeIsExclusive", keystore.Filter{ExpiredBefore: at(20)}, "1"},
		{"ExpiredBefore", keystore.Filter{ExpiredBefore: at(20).Add(time.Microsecond)}, "3 1"},
		{"ExpiredBeforeAny", keystore.Filter{ExpiredBefore: at(-99)}, ""},
		{"ParentAndOwner", keystore.Filter{Parent: "p", Owner: "y"}, "2"},
		{"OwnerAndKind", keystore.Filter{Owner: "x", Kind: keystore.KindAPIKey}, "1"},
		{"ExpiredOfAnOwner", keystore.Filter{ExpiredBefore: at(99), Owner: "y"}, ""},
		{"EveryField", keystore.Filter{
			Kind: keystore.KindSession, Owner: "x", Type: "mcd", Parent: "p", ExpiredBefore: at(21),
		}, "3"},
	} {
		cases = append(cases, testCase{"Filter" + row.name, adminStore, func(t *trial) { t.filters(row.f, row.want) }})
	}
	return cases
}

func (t *trial) filters(f keystore.Filter, want string) {
	t.here.insert(
		t.key("1", created(1), owner("x"), typ("ucd"), expires(at(10))),
		t.key("5", created(5), owner("y"), typ("ucd")),
		t.key("3", created(3), owner("x"), typ("mcd"), parent("p"), kind(keystore.KindSession), expires(at(20))),
		t.key("2", created(2), owner("y"), typ(""), parent("p"), revoked),
		t.key("4", created(4), owner(""), typ("mcd"), parent("q"), kind(keystore.KindAlias)),
	)
	for f.Limit = range 6 {
		if got := ids(t.there.all(f)); !slices.Equal(got, slices.Clip(strings.Fields(want))) && len(got)+len(want) > 0 {
			t.wrongf("List %+v: got %q, want %q", f, got, want)
		}
	}
}

func nothingStored(t *trial) {
	for _, f := range []keystore.Filter{{}, {Owner: "x"}, {Parent: "p"}, {Limit: 1}, {ExpiredBefore: at(0)}} {
		if got := t.here.all(f); len(got) != 0 {
			t.wrongf("List %+v of an empty store: got %q", f, ids(got))
		}
	}
}

// Operators look for what they revoked, and pruning for what has expired.
func listsDeadOnes(t *trial) {
	records := []keystore.Record{
		t.key("revoked", revoked), t.key("expired", expires(at(-9))), t.key("suspended", suspended),
		t.key("later", func(r *keystore.Record) { r.NotBefore = at(1_000_000_000) }),
		t.key(alias("0a"), kind(keystore.KindAlias), parent("revoked")),
		t.key("client", kind(keystore.KindClient), owner("")),
	}
	t.here.insert(records...)
	t.exactly(t.here.all(keystore.Filter{}), records, "List of all")
}

// Columns that are filtered on change with the record.
func filterFollowsUpdates(t *trial) {
	r := t.key("a", owner("x"), typ("t"), parent("p"))
	t.here.insert(r, t.key("b", owner("y"), typ("u"), parent("q"), created(1)))
	check := func(f keystore.Filter, want ...string) {
		t.Helper()
		if got := ids(t.there.all(f)); !slices.Equal(got, want) {
			t.wrongf("List %+v after an Update: got %q, want %q", f, got, want)
		}
	}
	check(keystore.Filter{ExpiredBefore: at(50)})
	r.Expires = at(49)
	r = t.here.update(r)
	check(keystore.Filter{ExpiredBefore: at(50)}, "a")
	r.Expires = at(50)
	r = t.here.update(r)
	check(keystore.Filter{ExpiredBefore: at(50)})
	r.Owner, r.Type, r.Parent, r.Kind, r.Expires = "y", "u", "q", keystore.KindSession, time.Time{}
	t.here.update(r)
	for _, f := range []keystore.Filter{{Owner: "x"}, {Type: "t"}, {Parent: "p"}, {ExpiredBefore: at(99)}} {
		check(f)
	}
	for _, f := range []keystore.Filter{{Owner: "y"}, {Type: "u"}, {Parent: "q"}, {Owner: "y", Parent: "q", Type: "u"}} {
		check(f, "b", "a")
	}
	check(keystore.Filter{Kind: keystore.KindSession}, "a")
	check(keystore.Filter{Kind: keystore.KindAPIKey}, "b")
}

func filterIsExact(t *trial) {
	t.here.insert(t.key("a", owner("acct"), typ("ucd"), parent("Par")))
	for _, f := range []keystore.Filter{
		{Owner: "ACCT"},
		{Owner: "Acct"},
		{Owner: "acct "},
		{Owner: " acct"},
		{Owner: "acc"},
		{Owner: "acctt"},
		{Owner: "cct"},
		{Owner: "acct\x00"},
		{Owner: "a%"},
		{Owner: "%"},
		{Owner: "acc_"},
		{Owner: "*"},
		{Owner: "a*"},
		{Owner: "acc?"},
		{Owner: "[a]cct"},
		{Owner: "ａｃｃｔ"},
		{Owner: "äcct"},
		{Owner: "acct\u200b"},
		{Owner: strings.Repeat("acct", 1000)},
		{Owner: "\xff"},
		{Type: "UCD"},
		{Type: "ucd "},
		{Type: "uc"},
		{Type: "u%"},
		{Type: "*"},
		{Type: "ｕcd"},
		{Parent: "par"},
		{Parent: "PAR"},
		{Parent: "Par "},
		{Parent: "Pa"},
		{Parent: "a"},
		{Parent: "%"},
		{Parent: "*"},
		{Parent: "Par\x00"},
		{Kind: "API_KEY"},
		{Kind: "api"},
		{Kind: "api_key "},
		{Kind: "apiXkey"},
		{Kind: "%"},
		{Kind: "unknown"},
	} {
		page, err := t.here.admin.List(t.Context(), f)
		t.cannotAnswer(err, "List %+v", f)
		if len(page.Records) != 0 {
			t.wrongf("List %+v: got a record with Owner %q, Type %q, Parent %q and Kind %q",
				f, page.Records[0].Owner, page.Records[0].Type, page.Records[0].Parent, page.Records[0].Kind)
		}
	}
}

// Every combination of filters answers like a loop over everything.
func filtersCombined(t *trial) {
	one := func(of ...string) string { return of[t.below(len(of))] }
	var records []keystore.Record
	for n := range 200 {
		r := t.key(strconv.Itoa(n), created(t.below(100)), owner(one("x", "y", "z")), typ(one("t", "u")),
			parent(one("", "p", "q")), kind(keystore.Kind(one("api_key", "session"))))
		if t.below(2) == 0 {
			r.Expires = at(t.below(100))
		}
		records = append(records, r)
	}
	t.fill(records)
	for set := range 1 << 5 {
		f := keystore.Filter{Limit: 1 + t.below(100)}
		for bit, choose := range []func(){
			func() { f.Owner = "x" },
			func() { f.Type = "t" },
			func() { f.Parent = "p" },
			func() { f.Kind = keystore.KindAPIKey },
			func() { f.ExpiredBefore = at(50) },
		} {
			if set>>bit&1 == 1 {
				choose()
			}
		}
		want := only(records, func(r *keystore.Record) bool { return matches(&f, r) })
		got := t.handle(set).all(f)
		t.exactly(got, want, "List %+v", f)
		t.newestFirst(got)
	}
}
