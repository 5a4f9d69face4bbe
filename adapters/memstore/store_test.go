package memstore_test

import (
	"context"
	"fmt"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/memstore"
	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/scopes"
)

// store is all that the tests named after duties know of the package: they are about the contract, not about memory.
type store interface {
	keystore.AdminStore
	keystore.Watcher
	keystore.UsageStore
}

func open(*testing.T) store { return memstore.New() } //nolint:ireturn // so that tests can ask for nothing else

var start = time.Date(2026, time.November, 22, 2, 36, 0, 123456000, time.UTC)

// at is n seconds after start.
func at(n int) time.Time { return start.Add(time.Duration(n) * time.Second) }

var unlimited = keystore.Quota{}

// apiKey is a record as an app's usual key has it.
func apiKey(id string, edits ...func(*keystore.Record)) keystore.Record {
	r := keystore.Record{
		ID: id, Version: 1, Op: "ab54a98ceb1f0ad2", Kind: keystore.KindAPIKey,
		Owner: "acct_4711aaa", Type: "ucd", Env: keystore.EnvLive, Name: "nightly batch import",
		Scopes: scopes.MustSet("claims:read", "claims:write"),
		Secrets: []keystore.StoredSecret{{
			N: 1, Hash: "$hmac-sha256$k=2026-11$7Gk2mXw9QaTz$47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU", Created: start,
		}},
		Created: start, CreatedBy: "user_0815",
	}
	for _, edit := range edits {
		edit(&r)
	}
	return r
}

func owner(name string) func(*keystore.Record) { return func(r *keystore.Record) { r.Owner = name } }
func op(name string) func(*keystore.Record)    { return func(r *keystore.Record) { r.Op = name } }
func created(n int) func(*keystore.Record)     { return func(r *keystore.Record) { r.Created = at(n) } }

// complete is a record with every field set.
func complete(id string) keystore.Record {
	return apiKey(id, func(r *keystore.Record) {
		r.Version = 7
		r.Parent, r.ParentSecret = "parent1", 2
		r.Secrets[0].Expires = at(60)
		r.Secrets = append(r.Secrets, keystore.StoredSecret{N: 2, Hash: "$x$y", Created: at(1), Expires: at(61)})
		r.Generation = keystore.Generation{
			N: 3, Lowest: 2, Issued: at(2), Expires: at(62), Seed: []byte{0, 1, 2, 255}, Signer: "2026-11",
		}
		r.Limits = keystore.Limits{
			Networks:       []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")},
			DeniedNetworks: []netip.Prefix{netip.MustParsePrefix("2001:db8::/32")},
			Audiences:      []string{"https://api.example"}, Methods: []string{"GET"}, ServerOnly: true,
			Services: 4, Rate: keystore.Rate{Requests: 5, Per: time.Minute, Burst: 6}, IdleTimeout: time.Hour,
		}
		r.Client = keystore.Client{
			RedirectURIs: []string{"https://app.example/?a=1&b=<2>"}, Grants: []string{"refresh_token"}, Public: true,
		}
		r.Grant = keystore.Grant{RedirectURI: "https://app.example/", Challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}
		r.NotBefore, r.Expires = at(3), at(63)
		r.Suspended = keystore.Mark{At: at(4), Reason: keystore.ReasonMisuse, By: "ops"}
		r.Revoked = keystore.Mark{At: at(5), Reason: keystore.ReasonCompromised, By: "ops"}
		r.Meta = map[string]string{"note": "quotes \" , \u2028 and \x7f", "empty": ""}
	})
}

func insert(t *testing.T, s keystore.AdminStore, records ...keystore.Record) {
	t.Helper()
	for _, r := range records {
		require.NoError(t, s.Insert(t.Context(), r, unlimited))
	}
}

func lookup(t *testing.T, s keystore.KeyStore, id string) keystore.Record {
	t.Helper()
	r, err := s.Lookup(t.Context(), id)
	require.NoError(t, err)
	return r
}

func TestKS1_MissingIsNotFound(t *testing.T) {
	t.Parallel()
	s := open(t)
	insert(t, s, apiKey("gone"), apiKey("there"))
	require.NoError(t, s.Delete(t.Context(), "gone", 0))

	for _, id := range []string{"gone", "never", "ere", "there1", "", " there", "a_b", strings.Repeat("x", 1<<20)} {
		r, err := s.Lookup(t.Context(), id)
		require.ErrorIs(t, err, keystore.ErrNotFound)
		require.Zero(t, r)
		require.ErrorIs(t, s.Update(t.Context(), apiKey(id)), keystore.ErrNotFound)
	}
	require.Equal(t, "there", lookup(t, s, "there").ID)
}

func TestKS2_ConcurrentUse(t *testing.T) {
	t.Parallel()
	s := open(t)
	ctx, stop := context.WithCancel(t.Context())
	var heard atomic.Int64
	watching := make(chan struct{})
	var watchers, workers sync.WaitGroup
	watchers.Go(func() {
		_ = s.Watch(ctx, func(...string) {
			if heard.Add(1) == 1 {
				close(watching)
			}
		})
	})
	<-watching
	const goroutines, rounds = 8, 200
	for g := range goroutines {
		workers.Go(func() {
			for n := range rounds {
				own, shared := fmt.Sprintf("g%dn%d", g, n), fmt.Sprintf("shared%d", n%10)
				_ = s.Insert(ctx, apiKey(own, owner(strconv.Itoa(g))), keystore.Quota{Max: rounds, Now: start})
				_ = s.Insert(ctx, apiKey(shared), unlimited)
				if r, err := s.Lookup(ctx, shared); err == nil {
					_ = s.Update(ctx, r)
				}
				_ = s.AddUsage(ctx, []keystore.Usage{{ID: own, Count: 1, LastUsed: start}})
				_, _ = s.Usage(ctx, []string{own, shared})
				_, _ = s.List(ctx, keystore.Filter{Owner: strconv.Itoa(g), Limit: 3})
				_ = s.Delete(ctx, shared, 0)
			}
		})
	}
	workers.Wait()
	stop()
	watchers.Wait()
	for g := range goroutines {
		page, err := s.List(t.Context(), keystore.Filter{Owner: strconv.Itoa(g), Limit: rounds + 1})
		require.NoError(t, err)
		require.Len(t, page.Records, rounds)
	}
	require.Greater(t, heard.Load(), int64(1))
}

func TestKS3_EndedContextIsAnswered(t *testing.T) {
	t.Parallel()
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancelLate := context.WithDeadline(t.Context(), time.Unix(1, 0))
	defer cancelLate()

	for _, ctx := range []context.Context{canceled, late} {
		s := open(t)
		insert(t, s, apiKey("a"))
		calls := map[string]func() error{
			"Lookup":   func() error { _, err := s.Lookup(ctx, "a"); return err },
			"Insert":   func() error { return s.Insert(ctx, apiKey("b"), unlimited) },
			"Update":   func() error { return s.Update(ctx, apiKey("a")) },
			"Delete":   func() error { return s.Delete(ctx, "a", 0) },
			"List":     func() error { _, err := s.List(ctx, keystore.Filter{}); return err },
			"AddUsage": func() error { return s.AddUsage(ctx, []keystore.Usage{{ID: "a", Count: 1}}) },
			"Usage":    func() error { _, err := s.Usage(ctx, []string{"a"}); return err },
			"Watch":    func() error { return s.Watch(ctx, func(...string) {}) },
		}
		for name, call := range calls {
			require.ErrorIs(t, call(), ctx.Err(), name)
		}
		require.Equal(t, apiKey("a"), lookup(t, s, "a"))
		_, err := s.Lookup(t.Context(), "b")
		require.ErrorIs(t, err, keystore.ErrNotFound)
		usage, err := s.Usage(t.Context(), []string{"a"})
		require.NoError(t, err)
		require.Empty(t, usage)
	}
}

// A reader that has heard of a version never sees an older one.
func TestKS4_LookupSeesWhatHasReturned(t *testing.T) {
	t.Parallel()
	s := open(t)
	insert(t, s, apiKey("a"))
	const last = 500
	var returned atomic.Uint64
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for known := uint64(0); known < last; {
				known = returned.Load()
				r, err := s.Lookup(t.Context(), "a")
				if err != nil || r.Version < known {
					t.Errorf("Lookup began after version %d was stored, and saw %d (%v)", known, r.Version, err)
					return
				}
			}
		})
	}
	for version := uint64(1); version < last; version++ {
		err := s.Update(t.Context(), apiKey("a", func(r *keystore.Record) { r.Version = version }))
		returned.Store(version + 1)
		require.NoError(t, err)
	}
	readers.Wait()
}

func TestKS5_NothingIsShared(t *testing.T) {
	t.Parallel()
	overwrite := func(r keystore.Record) {
		r.Secrets[0].Hash, r.Secrets[1].N = "", 99
		r.Generation.Seed[0] = 99
		r.Limits.Networks[0], r.Limits.DeniedNetworks[0] = netip.Prefix{}, netip.Prefix{}
		r.Limits.Audiences[0], r.Limits.Methods[0] = "", ""
		r.Client.RedirectURIs[0], r.Client.Grants[0] = "", ""
		r.Meta["note"] = "overwritten"
		r.Meta["new"] = "added"
	}
	s := open(t)
	given := complete("a")
	given.Revoked = keystore.Mark{}
	want := complete("a")
	want.Revoked = keystore.Mark{}

	insert(t, s, given)
	overwrite(given)
	require.Equal(t, want, lookup(t, s, "a"), "the argument of Insert was kept")

	overwrite(lookup(t, s, "a"))
	require.Equal(t, want, lookup(t, s, "a"), "Lookup handed out what is stored")

	page, err := s.List(t.Context(), keystore.Filter{})
	require.NoError(t, err)
	overwrite(page.Records[0])
	require.Equal(t, want, lookup(t, s, "a"), "List handed out what is stored")

	given = lookup(t, s, "a")
	require.NoError(t, s.Update(t.Context(), given))
	overwrite(given)
	want.Version++
	require.Equal(t, want, lookup(t, s, "a"), "the argument of Update was kept")
	require.Equal(t, uint64(7), given.Version, "Update wrote to its argument")
}

func TestKS6_IDs(t *testing.T) {
	t.Parallel()
	longest := strings.Repeat("Zz9:", 20)
	valid := []string{"0", "z", "A", ":", "sha256:" + strings.Repeat("0a", 32), longest, "abc", "Abc", "aBc", "ABC", "abc:", ":abc"}
	s := open(t)
	for n, id := range valid {
		insert(t, s, apiKey(id, owner(strconv.Itoa(n))))
	}
	for n, id := range valid {
		r := lookup(t, s, id)
		require.Equal(t, id, r.ID)
		require.Equal(t, strconv.Itoa(n), r.Owner)
	}
	require.NoError(t, s.Delete(t.Context(), "ABC", 0))
	require.Equal(t, "6", lookup(t, s, "abc").Owner)

	for _, id := range []string{
		"", longest + "x", strings.Repeat("x", 1<<20), "sk_live", "a-b", "a b", "a\x00", "a\n", "é", "\xff", "a/b", "a%62", "['", "[", "@", "`", "{", ";",
	} {
		err := s.Insert(t.Context(), apiKey(id), unlimited)
		require.Error(t, err, "%q", id)
		require.Contains(t, err.Error(), "want ")
		require.NotErrorIs(t, err, keystore.ErrExists)
		require.NotErrorIs(t, err, keystore.ErrNotFound)
	}
	page, err := s.List(t.Context(), keystore.Filter{})
	require.NoError(t, err)
	require.Len(t, page.Records, len(valid)-1)
}

func TestKS10_TimesKeepMicroseconds(t *testing.T) {
	t.Parallel()
	s := open(t)
	times := []time.Time{
		{},
		start,
		start.Truncate(time.Second),
		time.Date(1970, time.January, 1, 0, 0, 0, 1000, time.UTC),
		time.Date(9999, time.December, 31, 23, 59, 59, 999999000, time.UTC),
	}
	for n, when := range times {
		id := strconv.Itoa(n)
		insert(t, s, apiKey(id, func(r *keystore.Record) { r.Created, r.Expires, r.NotBefore = when, when, when }))
		r := lookup(t, s, id)
		for _, got := range []time.Time{r.Created, r.Expires, r.NotBefore} {
			require.Equal(t, when, got, "instant and location")
		}
	}
	finer := start.Add(999).In(time.FixedZone("east", 3600))
	insert(t, s, apiKey("finer", func(r *keystore.Record) { r.Created, r.Expires, r.Secrets[0].Expires = finer, finer, finer }))
	r := lookup(t, s, "finer")
	require.Equal(t, []time.Time{start, start, start}, []time.Time{r.Created, r.Expires, r.Secrets[0].Expires})
}

func TestKS14_EveryFieldComesBack(t *testing.T) {
	t.Parallel()
	requireSet(t, reflect.ValueOf(complete("a")), "Record")
	s := open(t)
	for _, want := range []keystore.Record{complete("a"), {ID: "bare"}, apiKey("usual")} {
		insert(t, s, want)
		require.Equal(t, want, lookup(t, s, want.ID))
		page, err := s.List(t.Context(), keystore.Filter{Owner: want.Owner, Parent: want.Parent})
		require.NoError(t, err)
		require.Contains(t, page.Records, want)
	}
	live := complete("b")
	live.Revoked = keystore.Mark{}
	insert(t, s, live)
	want := complete("b")
	want.Owner, want.Parent, want.Created = "moved", "elsewhere", at(9)
	require.NoError(t, s.Update(t.Context(), want))
	want.Version++
	require.Equal(t, want, lookup(t, s, "b"))
}

// requireSet fails on a field that has its zero value, so that complete grows with the record.
func requireSet(t *testing.T, v reflect.Value, path string) {
	t.Helper()
	require.False(t, v.IsZero(), "%s is not set: the test does not cover it", path)
	if v.Kind() != reflect.Struct || v.Type() == reflect.TypeFor[time.Time]() {
		return
	}
	for field, value := range v.Fields() {
		if field.IsExported() {
			requireSet(t, value, path+"."+field.Name)
		}
	}
}
