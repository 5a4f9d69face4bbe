package middleware

import (
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/scopes"
)

// What is cut out of a query is what net/url finds there, and the rest is what it
// finds there besides.
func FuzzCutQuery(f *testing.F) {
	for _, query := range []string{
		"", "k", "k=", "k=v", "a=b&k=v&c=d", "k=1&k=2", "%6b=v", "%6B=%76", "K=v", "k[]=v", "&&k=v&&", "=k", "k=v=w", "k=%zz", "%zz=k",
		"k+=v", "k=a+b", "a;k=v", "k=v;a", "k%00=v", "k=\x00", "%2525=k", "k&k&k", "a=k", "kk=v", "#k=v", "k=v#", "?k=v",
	} {
		f.Add(query)
	}
	f.Fuzz(func(t *testing.T, query string) {
		_, without := cutQuery(query, "k")
		again, same := cutQuery(without, "k")
		require.Empty(t, again)
		require.Equal(t, without, same)
		// Pairs that net/url drops are the only ones on which both may differ.
		dropped := func(pair string) bool {
			_, err := url.ParseQuery(pair)
			return err != nil
		}
		pairs := strings.Split(query, "&")
		clean := strings.Join(slices.DeleteFunc(pairs, dropped), "&")
		want, err := url.ParseQuery(clean)
		require.NoError(t, err)
		values, rest := cutQuery(clean, "k")
		require.Equal(t, want["k"], values)
		want.Del("k")
		left, err := url.ParseQuery(rest)
		require.NoError(t, err)
		require.Equal(t, want, left)
	})
}

// The client's address, as one would find it who has all day: every address of
// every line in one list, walked from the right (T-054).
func FuzzClient(f *testing.F) {
	auth := &Auth{keys: new(keystore.Keys)}
	require.NoError(f, auth.compile(Config{TrustedProxies: []Proxy{{Network: "10.0.0.0/8"}, {Network: "fd00::/8"}, {Network: UnixSocket}}}))
	trusted := func(a netip.Addr) bool {
		return netip.MustParsePrefix("10.0.0.0/8").Contains(a) || netip.MustParsePrefix("fd00::/8").Contains(a)
	}
	naive := func(peer string, lines []string) netip.Addr {
		client := parseAddr(peer)
		unix := peer == "" || strings.HasPrefix(peer, "@") || strings.HasPrefix(peer, "/")
		if !trusted(client) && !unix {
			return client
		}
		if len(lines) == 0 {
			return netip.Addr{}
		}
		items := strings.Split(strings.Join(lines, ","), ",")
		for _, item := range slices.Backward(items) {
			if client = parseAddr(strings.Trim(item, " \t")); !trusted(client) {
				return client
			}
		}
		return client
	}
	for _, peer := range []string{"10.0.0.1:80", "192.0.2.1:80", "[fd00::1]:80", "[::ffff:10.0.0.1]:80", "@", "", "/s", "x", "10.0.0.1"} {
		for _, lines := range []string{
			"", "192.0.2.7", "192.0.2.7, 10.0.0.1", "10.0.0.1,10.0.0.2", "a\nb", ",", ",,192.0.2.7", "192.0.2.7\n10.0.0.1", "[2001:db8::1]:80",
			"::ffff:10.0.0.1", "192.0.2.7:80,10.0.0.1:80", "fe80::1%eth0", "[[::1]]", "unknown", "\n", " \t192.0.2.7\t ",
		} {
			f.Add(peer, lines)
		}
	}
	f.Fuzz(func(t *testing.T, peer, text string) {
		r := &http.Request{RemoteAddr: peer, Header: http.Header{}}
		if text != "" {
			r.Header["X-Forwarded-For"] = strings.Split(text, "\n")
		}
		got := auth.client(r)
		require.Equal(t, naive(peer, r.Header["X-Forwarded-For"]), got)
		require.False(t, got.Is4In6())
		require.Empty(t, got.Zone())
	})
}

// Nothing is taken for a credential that does not stand alone in the header, and
// what is taken is there byte for byte.
func FuzzBearer(f *testing.F) {
	for _, value := range []string{
		"", "Bearer", "Bearer ", "Bearer x", "bearer  x ", "BEARER\tx", "Bearerx", "Bearer-x y", "Basic x", "Bearer,x", "Bearer:x", "Bearer x y", "\x00Bearer x",
	} {
		f.Add(value)
	}
	source := Bearer()
	f.Fuzz(func(t *testing.T, value string) {
		text, ok := source.credential(value)
		if !ok {
			require.Empty(t, text)
			scheme, _, _ := strings.Cut(value, " ")
			require.False(t, strings.EqualFold(scheme, "Bearer"))
			return
		}
		require.True(t, strings.EqualFold(value[:6], "Bearer"))
		require.True(t, strings.HasSuffix(value, text))
		require.Empty(t, strings.Trim(value[6:len(value)-len(text)], " "))
		require.False(t, strings.HasPrefix(text, " "))
	})
}

// visible decides what an app's verifiers are shown.
func TestVisible(t *testing.T) {
	t.Parallel()
	for b := range 256 {
		require.Equal(t, b > ' ' && b < 0x7f, visible("a"+string([]byte{byte(b)})), "%#x", b)
	}
	require.True(t, visible(keystore.ExampleCredential))
}

// An app may make requirements out of paths; what clients make it ask for fills no
// memory.
func TestScopeRefusals_Bounded(t *testing.T) {
	t.Parallel()
	auth := &Auth{scopeRefusals: map[scopeKey]*refusal{}}
	for i := range 10 * maxScopeRefusals {
		asked, err := scopes.AllOf(scopes.Scope("project:p" + strconv.Itoa(i)))
		require.NoError(t, err)
		body := string(auth.scopeMissing(asked.Scopes(), asked).body)
		require.Contains(t, body, `"scopes":["`+asked.String()+`"]`)
	}
	require.Len(t, auth.scopeRefusals, maxScopeRefusals)
}
