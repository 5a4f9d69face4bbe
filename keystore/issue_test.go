package keystore_test

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/scopes"
)

func TestIssue_RecordSaysWhatWasAsked(t *testing.T) {
	t.Parallel()
	store, clock := newStub(), newClock()
	keys := openKeys(t, store, keystore.Config{Now: clock.Now})
	now := clock.Now()
	limits := keystore.Limits{Networks: prefixes("10.0.0.0/8"), ServerOnly: true}
	ctx := keystore.WithActor(t.Context(), "ann")
	issued, err := keys.Issue(ctx, keystore.Spec{
		Owner: "acme", Name: "nightly", Type: "ucd", Env: keystore.EnvTest, Scopes: []scopes.Scope{"b:x", "a:x", "a:x"},
		Limits: limits, NotBefore: now.Add(time.Hour + 1), Expires: now.Add(2*time.Hour + 999), Meta: map[string]string{"team": "blue"},
	})
	require.NoError(t, err)
	r := issued.Record
	require.Regexp(t, `^[0-9A-Za-z]{12}$`, r.ID)
	require.Regexp(t, `^[0-9a-f]{16}$`, r.Op)
	require.Equal(t, "$sha256$"+r.ID, r.Secrets[0].Hash[:len("$sha256$")+12])
	require.Equal(t, keystore.Record{
		ID: r.ID, Op: r.Op, Version: uint64(now.UnixMicro()), Kind: keystore.KindAPIKey, Owner: "acme", Type: "ucd",
		Env: keystore.EnvTest, Name: "nightly", Scopes: scopes.MustSet("a:x", "b:x"),
		Secrets: []keystore.StoredSecret{{N: 1, Hash: r.Secrets[0].Hash, Created: now}}, Limits: limits,
		Created: now, CreatedBy: "ann", NotBefore: now.Add(time.Hour), Expires: now.Add(2 * time.Hour),
		Meta: map[string]string{"team": "blue"},
	}, r)
	stored, err := keys.Lookup(t.Context(), r.ID)
	require.NoError(t, err)
	require.Equal(t, r, stored, "what is returned is what is stored")
	text := issued.Credential.Reveal()
	require.True(t, keystore.WellFormed(text))
	require.True(t, strings.HasPrefix(text, "sk_test_"+r.ID+"_"))
	require.NotContains(t, fmt.Sprintf("%v %+v %#v", issued, issued, issued), text)
	clock.move(time.Hour)
	requireAccepted(t, keys, text)
}

func TestIssue_Invalid(t *testing.T) {
	t.Parallel()
	store, clock := newStub(), newClock()
	catalog := scopes.MustCatalog(scopes.Definition{Name: "claims:read", Title: "Read Claims"})
	keys := openKeys(t, store, keystore.Config{Now: clock.Now, Catalog: catalog})
	now, long := clock.Now(), strings.Repeat("x", 257)
	for _, tt := range []struct {
		desc string
		edit func(*keystore.Spec)
		want string
	}{
		{"no owner", func(s *keystore.Spec) { s.Owner = "" }, "Owner is empty"},
		{"owner too long", func(s *keystore.Spec) { s.Owner = long }, "257 bytes: at most 256"},
		{"control character", func(s *keystore.Spec) { s.Name = "a\nb" }, "control character"},
		{"not UTF-8", func(s *keystore.Spec) { s.Name = "\xff" }, "not UTF-8"},
		{"type too long", func(s *keystore.Spec) { s.Type = long[:65] }, "65 bytes: at most 64"},
		{"env", func(s *keystore.Spec) { s.Env = "prod" }, `want "live" or "test"`},
		{"expired", func(s *keystore.Spec) { s.Expires = now }, "has passed"},
		{"never works", func(s *keystore.Spec) { s.NotBefore, s.Expires = now.Add(2), now.Add(2) }, "would never work"},
		{"too late", func(s *keystore.Spec) { s.Expires = now.AddDate(9000, 0, 0) }, "to 9999"},
		{"quota", func(s *keystore.Spec) { s.MaxPerOwner = -1 }, "MaxPerOwner is -1"},
		{"unknown scope", func(s *keystore.Spec) { s.Scopes = []scopes.Scope{"claims:raed"} }, "nearest: claims:read"},
		{"the star", func(s *keystore.Spec) { s.Scopes = []scopes.Scope{"*"} }, "FullAccess"},
		{"both", func(s *keystore.Spec) { s.FullAccess = true }, "FullAccess and Scopes are both set"},
		{"empty list", func(s *keystore.Spec) { s.Limits.Audiences = []string{} }, "has 0 entries"},
		{"host bits", func(s *keystore.Spec) { s.Limits.Networks = prefixes("10.0.0.1/8") }, "without host bits"},
		{"mapped network", func(s *keystore.Spec) { s.Limits.DeniedNetworks = prefixes("::ffff:10.0.0.0/104") }, "host bits"},
		{"zero network", func(s *keystore.Spec) { s.Limits.Networks = []netip.Prefix{{}} }, "host bits"},
		{"method", func(s *keystore.Spec) { s.Limits.Methods = []string{"get"} }, "upper case"},
		{"idle timeout, and a store without usage", func(s *keystore.Spec) { s.Limits.IdleTimeout = 24 * time.Hour }, "the store keeps no usage"},
		{"meta", func(s *keystore.Spec) { s.Meta = map[string]string{"k": long} }, "a value of Meta"},
	} {
		given := keystore.Spec{Owner: "acme", Scopes: []scopes.Scope{"claims:read"}}
		tt.edit(&given)
		_, err := keys.Issue(t.Context(), given)
		require.ErrorIs(t, err, keystore.ErrInvalid, tt.desc)
		require.ErrorContains(t, err, tt.want, tt.desc)
		_, err = keys.Import(t.Context(), given, keystore.NewSecret(foreignText))
		require.ErrorIs(t, err, keystore.ErrInvalid, tt.desc)
	}
	require.Zero(t, store.writes.Load())

	_, err := keys.Issue(t.Context(), keystore.Spec{MaxPerOwner: -1, Env: "prod", Expires: now, Scopes: []scopes.Scope{"x"}})
	for _, part := range []string{"Owner", "MaxPerOwner", "Env", "Expires", "Scopes"} {
		require.ErrorContains(t, err, part, "all mistakes at once")
	}
}

func TestIssue_CatalogBundlesAndFullAccess(t *testing.T) {
	t.Parallel()
	catalog := scopes.MustCatalog(
		scopes.Definition{Name: "claims:read", Title: "Read"},
		scopes.Definition{Name: "claims:write", Title: "Write", Implies: []scopes.Scope{"claims:read"}},
		scopes.Definition{Name: "clerk", Title: "Clerk", Bundle: []scopes.Scope{"claims:write"}},
		scopes.Definition{Name: "full-access", Title: "Full Access", Bundle: []scopes.Scope{"*"}},
	)
	keys := openKeys(t, newStub(), keystore.Config{Catalog: catalog})
	for _, tt := range []struct {
		spec keystore.Spec
		want string
	}{
		{keystore.Spec{}, ""},
		{keystore.Spec{Scopes: []scopes.Scope{"clerk"}}, "claims:read claims:write"},
		{keystore.Spec{Scopes: []scopes.Scope{"full-access"}}, "*"},
		{keystore.Spec{FullAccess: true}, "*"},
		{keystore.Spec{Scopes: []scopes.Scope{"claims:*"}}, "claims:*"},
	} {
		tt.spec.Owner = "acme"
		issued, err := keys.Issue(t.Context(), tt.spec)
		require.NoError(t, err)
		require.Equal(t, tt.want, issued.Record.Scopes.String())
		p := requireAccepted(t, keys, issued.Credential.Reveal())
		require.Equal(t, tt.want == "*", p.Allows("anything:else"))
		require.Equal(t, tt.want != "", p.Allows("claims:read"))
	}
}

// T-117: an id that exists already is drawn again, and never overwritten.
func TestT117_IDThatExists(t *testing.T) {
	t.Parallel()
	store := newStub()
	keys := openKeys(t, store, keystore.Config{})
	var ids []string
	collide := func(times int) writeHook {
		ids = nil
		return func(_ context.Context, _, id string, send func() error) error {
			if ids = append(ids, id); len(ids) <= times {
				return fmt.Errorf("duplicate key value: %w", keystore.ErrExists)
			}
			return send()
		}
	}
	store.bendWrites(collide(2))
	id, text := issue(t, keys, spec)
	require.Equal(t, id, ids[2])
	require.Len(t, map[string]bool{ids[0]: true, ids[1]: true, ids[2]: true}, 3)
	requireAccepted(t, keys, text)

	store.bendWrites(collide(3))
	_, err := keys.Issue(t.Context(), spec)
	requireUnavailable(t, err)
	require.Len(t, ids, 3, "then something else is wrong")
}

// T-115: of 32 who want the last places, as many get one as there are.
func TestT115_QuotaRace(t *testing.T) {
	t.Parallel()
	const contenders, places = 32, 3
	rounds := 30
	if testing.Short() {
		rounds = 5
	}
	var told events
	keys := openKeys(t, newStub(), keystore.Config{OnEvent: told.hear})
	for round := range rounds {
		owner := fmt.Sprint("owner", round)
		errs := make([]error, contenders)
		var group sync.WaitGroup
		for i := range contenders {
			group.Go(func() {
				given := keystore.Spec{Owner: owner, Type: "ucd", MaxPerOwner: places}
				if i%2 == 0 {
					_, errs[i] = keys.Issue(t.Context(), given)
				} else {
					_, errs[i] = keys.Import(t.Context(), given, keystore.NewSecret(fmt.Sprintf("%032x-%s", i, owner)))
				}
			})
		}
		group.Wait()
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
				continue
			}
			require.ErrorIs(t, err, keystore.ErrQuota)
			require.ErrorContains(t, err, "3 of 3 ucd keys are in use")
		}
		require.Equal(t, places, won)
		page, err := keys.List(t.Context(), keystore.Filter{Owner: owner, Kind: keystore.KindAPIKey})
		require.NoError(t, err)
		require.Len(t, page.Records, places)

		// A place that is given back is free, and another type has its own.
		_, err = keys.Issue(t.Context(), keystore.Spec{Owner: owner, Type: "other", MaxPerOwner: places})
		require.NoError(t, err)
		require.NoError(t, keys.Revoke(t.Context(), page.Records[0].ID, ""))
		_, err = keys.Issue(t.Context(), keystore.Spec{Owner: owner, Type: "ucd", MaxPerOwner: places})
		require.NoError(t, err)
	}
	refused := 0
	for _, e := range told.all() {
		if e.Type == keystore.EventQuotaRefused {
			refused++
		}
	}
	require.Equal(t, rounds*(contenders-places), refused)
}

func TestIssue_StoreThatFails(t *testing.T) {
	t.Parallel()
	store := newStub()
	keys := openKeys(t, store, keystore.Config{OnEvent: func(_ context.Context, e keystore.Event) { t.Error(e.Type) }})
	for desc, hook := range map[string]writeHook{
		"error": func(context.Context, string, string, func() error) error { return errDown },
		"panic": func(context.Context, string, string, func() error) error { panic("nil map") },
		"written all the same": func(_ context.Context, _, _ string, send func() error) error {
			_ = send()
			return errDown
		},
	} {
		store.bendWrites(hook)
		issued, err := keys.Issue(t.Context(), spec)
		requireUnavailable(t, err)
		require.Empty(t, issued.Credential.Reveal(), desc)
		require.Empty(t, issued.Record.ID, desc)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	store.bendWrites(nil)
	_, err := keys.Issue(gone, spec)
	requireUnavailable(t, err)
}
