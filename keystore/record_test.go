package keystore_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/scopes"
)

func times(n int, text string) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = text
	}
	return list
}

func manyNotes(n int) map[string]string {
	notes := map[string]string{}
	for i := range n {
		notes[fmt.Sprint(i)] = ""
	}
	return notes
}

// What no store is given: each is refused by name, and nothing is written.
func TestEdit_InvalidRecords(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	prefix := func(addr string, bits int) []netip.Prefix {
		return []netip.Prefix{netip.PrefixFrom(netip.MustParseAddr(addr), bits)}
	}
	long := func(n int) string { return strings.Repeat("x", n) }
	type edit = func(*keystore.Record)
	for _, row := range []struct {
		desc   string
		change edit
		want   string
	}{
		{"name too long", func(r *keystore.Record) { r.Name = long(257) }, `Name "xxx`},
		{"name with a line end", func(r *keystore.Record) { r.Name = "a\nb" }, `Name "a\nb": contains a control character`},
		{"name with an escape", func(r *keystore.Record) { r.Name = "a\x1b[2Jb" }, `Name "a\x1b[2Jb": contains a control character`},
		{"name with NUL", func(r *keystore.Record) { r.Name = "a\x00" }, "Name"},
		{"name that is no UTF-8", func(r *keystore.Record) { r.Name = "a\xff" }, `Name "a\xff": not UTF-8`},
		{"name of 1 MiB", func(r *keystore.Record) { r.Name = long(1 << 20) }, "1048576 bytes: at most 256"},

		{"meta too large", func(r *keystore.Record) { r.Meta = manyNotes(33) }, "Meta has 33 entries: at most 32"},
		{"meta key too long", func(r *keystore.Record) { r.Meta = map[string]string{long(257): ""} }, "a key of Meta"},
		{"meta key with a tab", func(r *keystore.Record) { r.Meta = map[string]string{"a\tb": ""} }, `a key of Meta "a\tb"`},
		{"meta value too long", func(r *keystore.Record) { r.Meta = map[string]string{"a": long(257)} }, "a value of Meta"},
		{"meta value that is no UTF-8", func(r *keystore.Record) { r.Meta = map[string]string{"a": "\xc3"} }, `a value of Meta "\xc3"`},

		{"suspended without a time", func(r *keystore.Record) { r.Suspended.Reason = "misuse" }, "Suspended.At is not set"},
		{"revoked without a time", func(r *keystore.Record) { r.Revoked.By = "ada" }, "Revoked.At is not set"},
		{"suspended for too long a reason", func(r *keystore.Record) {
			r.Suspended = keystore.Mark{At: at, Reason: keystore.Reason(long(65))}
		}, "Suspended.Reason"},
		{"suspended by an unprintable", func(r *keystore.Record) { r.Suspended = keystore.Mark{At: at, By: "a\r"} }, "Suspended.By"},
		{"revoked for an unprintable", func(r *keystore.Record) { r.Revoked = keystore.Mark{At: at, Reason: "a\x7f"} }, "Revoked.Reason"},
		{"revoked by too long a name", func(r *keystore.Record) { r.Revoked = keystore.Mark{At: at, By: long(257)} }, "Revoked.By"},

		{"empty networks", func(r *keystore.Record) { r.Limits.Networks = []netip.Prefix{} }, "Limits.Networks has 0 entries"},
		{"empty denied networks", func(r *keystore.Record) { r.Limits.DeniedNetworks = []netip.Prefix{} }, "Limits.DeniedNetworks has 0"},
		{"empty audiences", func(r *keystore.Record) { r.Limits.Audiences = []string{} }, "Limits.Audiences has 0"},
		{"empty methods", func(r *keystore.Record) { r.Limits.Methods = []string{} }, "Limits.Methods has 0"},
		{"too many methods", func(r *keystore.Record) { r.Limits.Methods = times(65, "GET") }, "Limits.Methods has 65"},
		{"too many audiences", func(r *keystore.Record) { r.Limits.Audiences = times(65, "a") }, "Limits.Audiences has 65"},
		{"no network", func(r *keystore.Record) { r.Limits.Networks = make([]netip.Prefix, 1) }, "Limits.Networks: invalid Prefix"},
		{"host bits", func(r *keystore.Record) { r.Limits.Networks = prefix("192.0.2.1", 24) }, "Limits.Networks: 192.0.2.1/24"},
		{"denied host bits", func(r *keystore.Record) { r.Limits.DeniedNetworks = prefix("2001:db8::1", 64) }, "Limits.DeniedNetworks: 2001:db8::1/64"},
		{"mapped address", func(r *keystore.Record) { r.Limits.Networks = prefix("::ffff:192.0.2.0", 120) }, "Limits.Networks: ::ffff:192.0.2.0/120"},
		{"empty audience", func(r *keystore.Record) { r.Limits.Audiences = []string{""} }, `Limits.Audiences: ""`},
		{"audience with a line end", func(r *keystore.Record) { r.Limits.Audiences = []string{"a\n"} }, `Limits.Audiences: "a\n"`},
		{"empty method", func(r *keystore.Record) { r.Limits.Methods = []string{""} }, `Limits.Methods: ""`},
		{"method in lower case", func(r *keystore.Record) { r.Limits.Methods = []string{"GET", "post"} }, `Limits.Methods: "post"`},
		{"method too long", func(r *keystore.Record) { r.Limits.Methods = []string{strings.Repeat("A", 65)} }, "Limits.Methods"},
		{"rate without a period", func(r *keystore.Record) { r.Limits.Rate.Requests = 1 }, "Limits.Rate.Per is 0s: want whole seconds, 1s to 24h"},
		{"rate of a broken second", func(r *keystore.Record) { r.Limits.Rate = rate(1, 1500*time.Millisecond) }, "Limits.Rate.Per is 1.5s"},
		{"rate of two days", func(r *keystore.Record) { r.Limits.Rate = rate(1, 48*time.Hour) }, "Limits.Rate.Per is 48h0m0s"},
		{"rate of a negative second", func(r *keystore.Record) { r.Limits.Rate = rate(1, -time.Second) }, "Limits.Rate.Per is -1s"},
		{"rate of nothing", func(r *keystore.Record) { r.Limits.Rate = rate(0, time.Second) }, "Limits.Rate.Requests is 0 per 1s: want 1 to 10,000 per second"},
		{"rate too high", func(r *keystore.Record) { r.Limits.Rate = rate(20_001, 2*time.Second) }, "Limits.Rate.Requests is 20001 per 2s"},
		{"burst above the rate", func(r *keystore.Record) { r.Limits.Rate = keystore.Rate{Requests: 5, Per: time.Second, Burst: 6} }, "Limits.Rate.Burst is 6"},
		{"negative burst", func(r *keystore.Record) { r.Limits.Rate = keystore.Rate{Requests: 5, Per: time.Second, Burst: -1} }, "Limits.Rate.Burst is -1"},
		{"burst alone", func(r *keystore.Record) { r.Limits.Rate.Burst = 1 }, "Limits.Rate.Per is 0s"},
		{"services", func(r *keystore.Record) { r.Limits.Services = 16 }, "Limits.Services is 16: want 1 to 15"},
		{"negative services", func(r *keystore.Record) { r.Limits.Services = -1 }, "Limits.Services is -1"},
		{"idle timeout", func(r *keystore.Record) { r.Limits.IdleTimeout = 24*time.Hour - 1 }, "Limits.IdleTimeout 23h59m59.999999999s: want at least 24h0m0s"},
		{"negative idle timeout", func(r *keystore.Record) { r.Limits.IdleTimeout = -time.Hour }, "want at least 24h0m0s"},

		{"redirect URI too long", func(r *keystore.Record) { r.Client.RedirectURIs = []string{long(2049)} }, "Client.RedirectURIs"},
		{"redirect URI that is no UTF-8", func(r *keystore.Record) { r.Client.RedirectURIs = []string{"\xff"} }, "Client.RedirectURIs"},
		{"too many redirect URIs", func(r *keystore.Record) { r.Client.RedirectURIs = times(65, "a") }, "Client.RedirectURIs has 65"},
		{"grant with a line end", func(r *keystore.Record) { r.Client.Grants = []string{"a\n"} }, "Client.Grants"},
		{"too many grants", func(r *keystore.Record) { r.Client.Grants = times(65, "a") }, "Client.Grants has 65"},
		{"grant's URI too long", func(r *keystore.Record) { r.Grant.RedirectURI = long(2049) }, "Grant.RedirectURI"},
		{"grant's challenge too long", func(r *keystore.Record) { r.Grant.Challenge = long(257) }, "Grant.Challenge"},
		{"signer too long", func(r *keystore.Record) { r.Generation.Signer = long(65) }, "Generation.Signer"},
		{"seed too long", func(r *keystore.Record) { r.Generation.Seed = make([]byte, 65) }, "Generation.Seed has 65"},

		{"expires in the year 10000", func(r *keystore.Record) { r.Expires = at.AddDate(8000, 0, 0) }, "Expires 10026-01-01"},
		{"expires in the year 10000 of UTC", func(r *keystore.Record) {
			r.Expires = time.Date(9999, 12, 31, 23, 0, 0, 0, time.FixedZone("west", -2*60*60))
		}, "Expires 9999-12-31"},
		{"expires a moment after the zero time", func(r *keystore.Record) { r.Expires = time.Time{}.Add(1) }, "Expires 0001-01-01"},
		{"expires before the zero time", func(r *keystore.Record) { r.Expires = time.Time{}.Add(-1) }, "Expires 0000-12-31"},
		{"not before 1969", func(r *keystore.Record) { r.NotBefore = time.Unix(-1, 0) }, "NotBefore"},
		{"suspended in 1969", func(r *keystore.Record) { r.Suspended.At = time.Unix(-1, 0) }, "Suspended.At"},
		{"revoked in 10000", func(r *keystore.Record) { r.Revoked.At = at.AddDate(8000, 0, 0) }, "Revoked.At"},
		{"generation issued in 10000", func(r *keystore.Record) { r.Generation.Issued = at.AddDate(8000, 0, 0) }, "Generation.Issued"},
		{"generation expires in 10000", func(r *keystore.Record) { r.Generation.Expires = at.AddDate(8000, 0, 0) }, "Generation.Expires"},
	} {
		t.Run(row.desc, func(t *testing.T) {
			t.Parallel()
			store := newStub()
			keys := openPatient(t, store, keystore.Config{})
			id, text := issue(t, keys, spec)
			store.writes.Store(0)
			_, err := keys.Edit(t.Context(), id, func(r *keystore.Record) error { row.change(r); return nil })
			require.ErrorIs(t, err, keystore.ErrInvalid)
			require.ErrorContains(t, err, row.want)
			require.Less(t, len(err.Error()), 10_000)
			require.Zero(t, store.writes.Load())
			requireAccepted(t, keys, text)
		})
	}
}

func TestIssue_InvalidRecords(t *testing.T) {
	t.Parallel()
	store := newStub()
	keys := openPatient(t, store, keystore.Config{})
	future := time.Now().Add(time.Hour)
	for _, row := range []struct {
		desc string
		spec keystore.Spec
		want []string
	}{
		{"nothing", keystore.Spec{}, []string{"Owner is empty"}},
		{"owner too long", keystore.Spec{Owner: strings.Repeat("x", 257)}, []string{"Owner"}},
		{"owner with a line end", keystore.Spec{Owner: "a\n"}, []string{`Owner "a\n"`}},
		{"type too long", keystore.Spec{Owner: "a", Type: strings.Repeat("x", 65)}, []string{"Type"}},
		{"env", keystore.Spec{Owner: "a", Env: "prod"}, []string{`Env "prod": want "live" or "test"`}},
		{"env of 1 MiB", keystore.Spec{Owner: "a", Env: keystore.Env(strings.Repeat("x", 1<<20))}, []string{"Env"}},
		{"expired", keystore.Spec{Owner: "a", Expires: time.Unix(1, 0)}, []string{"Expires"}},
		{"never valid", keystore.Spec{Owner: "a", NotBefore: future, Expires: future}, []string{"NotBefore"}},
		{"expires in the year 10000", keystore.Spec{Owner: "a", Expires: future.AddDate(8000, 0, 0)}, []string{"Expires"}},
		{"negative quota", keystore.Spec{Owner: "a", MaxPerOwner: -1}, []string{"MaxPerOwner"}},
		{"malformed scope", keystore.Spec{Owner: "a", Scopes: []scopes.Scope{"Claims Read"}}, []string{"Scopes"}},
		{"full access by a scope", keystore.Spec{Owner: "a", Scopes: []scopes.Scope{"*"}}, []string{"Scopes"}},
		{"full access and scopes", keystore.Spec{Owner: "a", FullAccess: true, Scopes: []scopes.Scope{"a:b"}}, []string{"FullAccess"}},
		{"empty limit", keystore.Spec{Owner: "a", Limits: keystore.Limits{Methods: []string{}}}, []string{"Limits.Methods"}},
		{"all at once", keystore.Spec{
			Name: "\x00", Type: "\x00", Env: "prod", Expires: time.Unix(1, 0), MaxPerOwner: -1,
			Limits: keystore.Limits{Methods: []string{"get"}, Services: 20}, Meta: map[string]string{"\x00": ""},
		}, []string{"Owner", "Name", "Type", "Env", "Expires", "MaxPerOwner", "Limits.Methods", "Services", "Meta"}},
	} {
		_, err := keys.Issue(t.Context(), row.spec)
		require.ErrorIs(t, err, keystore.ErrInvalid, row.desc)
		for _, want := range row.want {
			require.ErrorContains(t, err, want, row.desc)
		}
		require.Less(t, len(err.Error()), 10_000, row.desc)
	}
	require.Zero(t, store.writes.Load())
}

// Each field at its bound is stored, and comes back as it was.
func TestEdit_AtTheBounds(t *testing.T) {
	t.Parallel()
	keys := openPatient(t, newStub(), keystore.Config{})
	id, _ := issue(t, keys, spec)
	west := time.FixedZone("west", -2*60*60)
	edited, err := keys.Edit(t.Context(), id, func(r *keystore.Record) error {
		r.Name = strings.Repeat("é", 128)
		r.Meta = manyNotes(32)
		r.Meta["0"] = strings.Repeat("x", 256)
		r.Limits.Networks = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
		r.Limits.Methods = times(64, strings.Repeat("A", 64))
		r.Limits.Audiences = times(64, strings.Repeat("a", 256))
		r.Client.RedirectURIs = times(64, strings.Repeat("u", 2048))
		r.NotBefore = time.Date(1969, 12, 31, 23, 0, 0, 1999, west)
		r.Expires = time.Date(9999, 12, 31, 21, 59, 59, 999_999_999, west)
		return nil
	})
	require.NoError(t, err)
	stored, err := keys.Lookup(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, edited, stored)
	require.Equal(t, time.Date(1970, 1, 1, 1, 0, 0, 1000, time.UTC), stored.NotBefore)
	require.Equal(t, time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC), stored.Expires)
}
