package memstore_test

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
)

func kind(k keystore.Kind) func(*keystore.Record) { return func(r *keystore.Record) { r.Kind = k } }
func typ(name string) func(*keystore.Record)      { return func(r *keystore.Record) { r.Type = name } }

func parent(id string) func(*keystore.Record) { return func(r *keystore.Record) { r.Parent = id } }

func list(t *testing.T, s keystore.AdminStore, f keystore.Filter) keystore.Page {
	t.Helper()
	page, err := s.List(t.Context(), f)
	require.NoError(t, err)
	return page
}

// listAll follows the cursors.
func listAll(t *testing.T, s keystore.AdminStore, f keystore.Filter) (records []keystore.Record) {
	t.Helper()
	for {
		page := list(t, s, f)
		records = append(records, page.Records...)
		if page.Next == "" {
			return records
		}
		require.Len(t, page.Records, f.Limit, "only the last page is short")
		f.After = page.Next
	}
}

func ids(records []keystore.Record) []string {
	names := []string{}
	for _, r := range records {
		names = append(names, r.ID)
	}
	return names
}

func TestList_PageSizes(t *testing.T) {
	t.Parallel()
	s := open(t)
	for n := range keystore.MaxPage + 1 {
		insert(t, s, apiKey(strconv.Itoa(n), created(n)))
	}
	for limit, want := range map[int]int{0: 100, -1: 100, 1: 1, 1000: 1000, 1001: 1000, 1 << 30: 1000} {
		page := list(t, s, keystore.Filter{Limit: limit})
		require.Len(t, page.Records, want)
		require.NotEmpty(t, page.Next)
	}
	require.NoError(t, s.Delete(t.Context(), "0", 0))
	page := list(t, s, keystore.Filter{Limit: 1000})
	require.Len(t, page.Records, 1000)
	require.Empty(t, page.Next, "a full page is the last when nothing follows")
	require.Zero(t, list(t, open(t), keystore.Filter{}))
}

// Records of one instant keep their order, however they came in and whatever happens to them.
func TestList_EqualCreatedByID(t *testing.T) {
	t.Parallel()
	names := strings.Fields("a A b B 0 : aa aB a0 zz z Z")
	want := slices.Sorted(slices.Values(names))
	slices.Reverse(want)
	for range 10 {
		rand.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		s := open(t)
		for _, id := range names {
			insert(t, s, apiKey(id))
		}
		require.NoError(t, s.Update(t.Context(), apiKey("aa", op("1"))))
		for limit := range 13 {
			require.Equal(t, want, ids(listAll(t, s, keystore.Filter{Limit: limit})))
		}
	}
}

func TestList_MalformedCursors(t *testing.T) {
	t.Parallel()
	s := open(t)
	insert(t, s, apiKey("a"), apiKey("b"), apiKey("c"))
	next := list(t, s, keystore.Filter{Limit: 1}).Next
	for _, after := range []string{
		"a", "c", "0", "garbage", " ", "null", "-1", "%00", next + "=", next + "A", " " + next, next + "\n", next[:5] + "\n" + next[5:],
		next[:10], next[:len(next)-1], next[:5] + "é" + next[5:], next[:4] + "." + next[4:], strings.Repeat("A", 1<<20), "../../etc/passwd", "' OR 1=1 --",
	} {
		page, err := s.List(t.Context(), keystore.Filter{After: after})
		require.ErrorContains(t, err, "malformed cursor", "%q", after)
		require.Zero(t, page)
	}
}

// What is there all the time comes exactly once, and in order, while others come and go and everything is updated.
func TestList_StableUnderWrites(t *testing.T) {
	t.Parallel()
	s := open(t)
	const lasting = 3000 // more than one stride
	var want []string
	for n := range lasting {
		id := fmt.Sprintf("lasting%04d", lasting-n)
		want = append(want, id)
		insert(t, s, apiKey(id, created(-n/2)))
	}
	ctx, stop := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	for w := range 2 {
		writers.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				id := fmt.Sprintf("w%dn%d", w, n%500)
				_ = s.Insert(ctx, apiKey(id, created(-rand.IntN(lasting))), unlimited)
				if r, err := s.Lookup(ctx, want[rand.IntN(lasting)]); err == nil {
					_ = s.Update(ctx, r)
				}
				_ = s.Delete(ctx, fmt.Sprintf("w%dn%d", w, rand.IntN(500)), 0)
			}
		})
	}
	for _, f := range []keystore.Filter{{Limit: 7}, {Limit: 1000}, {Limit: 100, Owner: "acct_4711aaa"}} {
		records := listAll(t, s, f)
		require.True(t, slices.IsSortedFunc(records, func(a, b keystore.Record) int {
			return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(b.ID, a.ID))
		}))
		got := slices.DeleteFunc(ids(records), func(id string) bool { return !strings.HasPrefix(id, "lasting") })
		require.Equal(t, want, got)
	}
	stop()
	writers.Wait()
}

// An Update that moves a record in the listing moves it in every index.
func TestList_MovedRecords(t *testing.T) {
	t.Parallel()
	s := open(t)
	insert(t, s, apiKey("a", created(1), owner("x"), parent("p")), apiKey("b", created(2), owner("y")))
	require.NoError(t, s.Update(t.Context(), apiKey("a", created(3), owner("y"), op("1"))))
	require.Equal(t, []string{"a", "b"}, ids(list(t, s, keystore.Filter{}).Records))
	require.Equal(t, []string{"a", "b"}, ids(list(t, s, keystore.Filter{Owner: "y"}).Records))
	require.Empty(t, list(t, s, keystore.Filter{Owner: "x"}).Records)
	require.Empty(t, list(t, s, keystore.Filter{Parent: "p"}).Records)
	require.NoError(t, s.Update(t.Context(), apiKey("b", created(2), owner("y"), parent("p"), op("1"))))
	require.Equal(t, []string{"b"}, ids(list(t, s, keystore.Filter{Parent: "p"}).Records))
	require.NoError(t, s.Update(t.Context(), apiKey("b", created(2), owner("z"), parent("p"), op("2"), version(2))))
	require.Equal(t, []string{"a"}, ids(list(t, s, keystore.Filter{Owner: "y"}).Records))
	require.Equal(t, []string{"b"}, ids(list(t, s, keystore.Filter{Owner: "z"}).Records))
}

// Indexes and strides answer like a filter over everything.
func TestList_LikeAPlainFilter(t *testing.T) {
	t.Parallel()
	s := open(t)
	random := rand.New(rand.NewPCG(1, 2))
	one := func(of ...string) string { return of[random.IntN(len(of))] }
	all := map[string]keystore.Record{}
	for n := range 6000 {
		r := apiKey(strconv.Itoa(random.IntN(4000)), created(random.IntN(2000)), owner(one("x", "y", "z")),
			typ(one("t", "u")), parent(one("", "", "p", "q")), kind(keystore.Kind(one("api_key", "session"))))
		if random.IntN(2) == 0 {
			r.Expires = at(random.IntN(100))
		}
		stored, exists := all[r.ID]
		switch {
		case !exists:
			insert(t, s, r)
			all[r.ID] = r
		case n%2 == 0:
			r.Version, r.Op = stored.Version, strconv.Itoa(n)
			require.NoError(t, s.Update(t.Context(), r))
			r.Version++
			all[r.ID] = r
		default:
			require.NoError(t, s.Delete(t.Context(), r.ID, stored.Version))
			delete(all, r.ID)
		}
	}
	for range 50 {
		f := keystore.Filter{
			Kind: keystore.Kind(one("", "api_key")), Owner: one("", "x", "w"), Type: one("", "t"), Parent: one("", "p"),
			Limit: 1 + random.IntN(300),
		}
		if random.IntN(2) == 0 {
			f.ExpiredBefore = at(random.IntN(100))
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

// endsAfter is a ctx that ends when it has been asked a number of times.
type endsAfter struct {
	context.Context

	left int
}

func (c *endsAfter) Err() error {
	c.left--
	if c.left < 0 {
		return context.Canceled
	}
	return nil
}

func TestList_StopsInTheMiddle(t *testing.T) {
	t.Parallel()
	s := open(t)
	for n := range 3000 {
		insert(t, s, apiKey(strconv.Itoa(n), created(n)))
	}
	for _, f := range []keystore.Filter{{Type: "none has it"}, {Limit: 1000}} {
		ctx := &endsAfter{t.Context(), 2}
		page, err := s.List(ctx, f)
		require.ErrorIs(t, err, context.Canceled)
		require.Zero(t, page)
	}
}
