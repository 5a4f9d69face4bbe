package redisstore_test

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/redisstore"
	"github.com/claviger-go/claviger/keystore"
)

func listAll(tb testing.TB, s keystore.AdminStore, f keystore.Filter) (records []keystore.Record) {
	tb.Helper()
	for {
		page, err := s.List(tb.Context(), f)
		require.NoError(tb, err)
		records = append(records, page.Records...)
		if page.Next == "" {
			return records
		}
		require.Len(tb, page.Records, f.Limit, "only the last page is short")
		f.After = page.Next
	}
}

// fill stores records as quickly as the server takes them.
func fill(tb testing.TB, s keystore.AdminStore, records []keystore.Record) {
	tb.Helper()
	const writers = 16
	together(writers, func(w int) {
		for n := w; n < len(records); n += writers {
			if err := s.Insert(tb.Context(), records[n], unlimited); err != nil {
				tb.Error(err)
				return
			}
		}
	})
}

// Indexes, scripts and strides answer like a filter over everything, whatever was done to the records before.
func TestKS11_LikeAPlainFilter(t *testing.T) {
	t.Parallel()
	s := open(t)
	random := rand.New(rand.NewPCG(1, 2))
	one := func(of ...string) string { return of[random.IntN(len(of))] }
	all := map[string]keystore.Record{}
	for n := range 2500 {
		r := apiKey(strconv.Itoa(random.IntN(1200)), created(random.IntN(600)-300), owner(one("x", "y", "")), op(strconv.Itoa(n)))
		r.Type, r.Parent, r.Kind = one("t", "u"), one("", "", "p", "q"), keystore.Kind(one("api_key", "session"))
		if random.IntN(2) == 0 {
			r.Expires = at(random.IntN(100))
		}
		known, exists := all[r.ID]
		switch {
		case !exists:
			insert(t, s, r)
			all[r.ID] = r
		case n%2 == 0:
			r.Version = known.Version
			require.NoError(t, s.Update(t.Context(), r))
			r.Version++
			all[r.ID] = r
		default:
			require.NoError(t, s.Delete(t.Context(), r.ID, known.Version))
			delete(all, r.ID)
		}
	}
	for range 60 {
		f := keystore.Filter{
			Kind: keystore.Kind(one("", "api_key")), Owner: one("", "x", "w"), Type: one("", "t"), Parent: one("", "", "p"),
			Limit: 1 + random.IntN(300),
		}
		if random.IntN(2) == 0 {
			f.ExpiredBefore = at(random.IntN(100)).Add(time.Duration(random.IntN(3)))
		}
		var want []keystore.Record
		for _, r := range all {
			if (f.Kind == "" || f.Kind == r.Kind) && (f.Owner == "" || f.Owner == r.Owner) &&
				(f.Type == "" || f.Type == r.Type) && (f.Parent == "" || f.Parent == r.Parent) &&
				(f.ExpiredBefore.IsZero() || !r.Expires.IsZero() && r.Expires.Before(f.ExpiredBefore)) {
				want = append(want, r)
			}
		}
		slices.SortFunc(want, func(a, b keystore.Record) int {
			return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(b.ID, a.ID))
		})
		require.Equal(t, want, listAll(t, s, f), "%+v", f)
	}
}

// Pruning finds what has expired, few or more than are looked at one by one, and the oldest as well as the newest.
func TestKS11_Expired(t *testing.T) {
	t.Parallel()
	s := open(t)
	many := 11_000
	if testing.Short() {
		many = 1_000
	}
	records := make([]keystore.Record, many)
	for n := range records {
		records[n] = keystore.Record{ID: strconv.Itoa(n), Kind: keystore.KindSession, Created: at(n), Expires: at(n)}
	}
	fill(t, s, records)
	insert(t, s, apiKey("never"), apiKey("late", expires(2*many)))
	for _, tc := range []struct{ before, limit int }{{0, 10}, {1, 10}, {700, 10}, {701, 700}, {many, 1000}} {
		f := keystore.Filter{ExpiredBefore: at(tc.before), Limit: tc.limit}
		page, err := s.List(t.Context(), f)
		require.NoError(t, err)
		require.Len(t, page.Records, min(tc.before, tc.limit))
		for n, r := range page.Records {
			require.Equal(t, strconv.Itoa(tc.before-1-n), r.ID)
		}
		require.Equal(t, tc.before > tc.limit, page.Next != "")
		if tc.before <= 701 {
			require.Len(t, listAll(t, s, f), tc.before)
		}
	}
}

// A cursor stands for a place: it survives its record, and reaches nothing outside of the filter it is used with.
func TestKS11_Cursors(t *testing.T) {
	t.Parallel()
	client := connect(t, address(t))
	config := redisstore.Config{Prefix: prefix(t, client)}
	s, other := handle(t, client, config), handle(t, client, config)
	for n := range 10 {
		insert(t, s, apiKey("x"+strconv.Itoa(n), created(n/3), owner("x")), apiKey("y"+strconv.Itoa(n), created(n/3), owner("y")))
	}
	page, err := s.List(t.Context(), keystore.Filter{Owner: "x", Limit: 4})
	require.NoError(t, err)
	require.Equal(t, []string{"x9", "x8", "x7", "x6"}, ids(page.Records))
	require.NoError(t, s.Delete(t.Context(), "x6", 0))
	require.NoError(t, s.Delete(t.Context(), "x5", 0))
	insert(t, s, apiKey("new", created(99), owner("x")))
	for range 2 {
		rest, err := other.List(t.Context(), keystore.Filter{Owner: "x", Limit: 4, After: page.Next})
		require.NoError(t, err)
		require.Equal(t, []string{"x4", "x3", "x2", "x1"}, ids(rest.Records))
	}
	for _, r := range listAll(t, s, keystore.Filter{Owner: "y", Limit: 3, After: page.Next}) {
		require.Equal(t, "y", r.Owner)
	}
	for _, after := range []string{"x", page.Next + "=", page.Next + "A", " " + page.Next, page.Next + "\n", page.Next[:20], "eHg"} {
		_, err := s.List(t.Context(), keystore.Filter{After: after})
		require.ErrorContains(t, err, "malformed cursor", "%q", after)
	}
}
