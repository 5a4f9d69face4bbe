package guardtest

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/middleware"
)

// withQuery is a config that takes keys from the query.
func withQuery() middleware.Config { return middleware.Config{DangerouslyAcceptQueryKey: true} }

// deprecated is what an admitted request with a key in the query is answered.
func deprecated() string {
	return with(admitted, "Cache-Control: no-store", "Deprecation: @1735689600", "Referrer-Policy: no-referrer")
}

// Two places are one too many, also if they agree (T-010).
func (mount Mount) ambiguous(t *testing.T) {
	t.Parallel()
	s := open(t, mount)
	v := s.serve(t, withQuery())
	s.store.lookups.Store(0)
	bearer, other := "Authorization: Bearer {read}", "X-API-Key: {read}"
	for _, tt := range []struct{ desc, raw string }{
		{"both headers", get("/claims", bearer, other)},
		{"both headers, one bad", get("/claims", bearer, "X-API-Key: {wrong}")},
		{"both headers, the scheme alone", get("/claims", "Authorization: Bearer", other)},
		{"header and query", get("/claims?api_key={read}", bearer)},
		{"header and query, one bad", get("/claims?api_key={wrong}", other)},
		{"header and an empty query key", get("/claims?api_key=", bearer)},
		{"all three", get("/claims?api_key={read}", bearer, other)},
		{"twice in the query", get("/claims?api_key={read}&api_key={read}")},
		{"good and bad in the query", get("/claims?api_key={read}&api_key={wrong}")},
		{"an empty one in the query", get("/claims?api_key=&api_key={read}")},
		{"one of them without a value", get("/claims?api_key&api_key={read}")},
		{"one of them encoded", get("/claims?api_key={read}&api%5Fkey={read}")},
		{"a repeated header and the query", get("/claims?api_key={read}", other, other)},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			v.expect(t, tt.raw, twice)
			v.expect(t, strings.Replace(tt.raw, "/claims", "/maybe", 1), twice)
			if d := v.decision(); d.Source != "" || d.KeyID != "" {
				t.Errorf("of several credentials OnDecision hears of one: %+v", d)
			}
		})
	}
	if got := s.store.lookups.Load(); got != 0 {
		t.Errorf("the store was asked %d times", got)
	}
	form := strings.Replace(request("POST", "/claims", "Content-Type: application/x-www-form-urlencoded",
		"Authorization: Bearer {write}", "Content-Length: 18"), "\r\n\r\n", "\r\n\r\napi_key=something.", 1)
	v.expect(t, form, admitted) // a body is no source
}

// The query holds keys only where the app says so, by one exact name, and never
// tokens (T-011).
func (mount Mount) queryKey(t *testing.T) {
	t.Parallel()
	s := open(t, mount)
	asked := 0
	config := withQuery()
	config.Verifiers = []keystore.Verifier{verifier(func(context.Context, string) (*keystore.Principal, error) {
		asked++
		return keystore.NewPrincipal(keystore.Record{Env: keystore.EnvLive}), nil
	})}
	off, on := s.serve(t, middleware.Config{Verifiers: config.Verifiers}), s.serve(t, config)
	for _, tt := range []struct{ desc, query, want string }{
		{"good", "api_key={read}", deprecated()},
		{"among others", "a=1&api_key={read}&b=2", deprecated()},
		{"good, its name encoded", "%61pi%5fkey={read}", deprecated()},
		{"good, encoded once", "api_key=%73" + s.texts["read"][1:], deprecated()},
		{"bad", "api_key={wrong}", invalid},
		{"lacks a scope", "api_key={write}", lacksRead},
		{"empty", "api_key=", invalid},
		{"without a value", "api_key", invalid},
		{"encoded twice", "api_key=%2573k", invalid},
		{"T-005 NUL", "api_key={read}%00", invalid},
		{"T-005 NUL first", "api_key=%00{read}", invalid},
		{"T-005 line feed", "api_key={read}%0a", invalid},
		{"T-005 no-break space", "api_key={read}%c2%a0", invalid},
		{"T-005 a space", "api_key={read}+", invalid},
		{"T-005 8-bit", "api_key={read}%ff", invalid},
		{"T-009 not to be decoded", "api_key={read}%zz", invalid},
		{"T-009 full-width", "api_key=%ef%bd%93k", invalid},
		{"a semicolon behind", "api_key={read};a=b", invalid},
		{"a semicolon, twice", "api_key={read};api_key={read}", invalid},
		{"a semicolon before", "a=b;api_key={read}", missing},
		{"a scheme", "api_key=Bearer+{read}", invalid},
		{"a token", "api_key=eyJ.foreign.token", invalid},
		{"upper case", "API_KEY={read}", missing},
		{"in brackets", "api_key[]={read}", missing},
		{"with an index", "api_key[1]={read}", missing},
		{"a property", "api_key.x={read}", missing},
		{"another name", "apikey={read}&api-key={read}&key={read}&access_token={read}", missing},
		{"a name with a space", "api_key+={read}", missing},
		{"an encoded separator", "a%26api_key={read}", missing},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			on.expect(t, get("/claims?"+tt.query), tt.want)
			off.expect(t, get("/claims?"+tt.query), missing)
			off.expect(t, get("/maybe?"+tt.query), admitted)
		})
	}
	if asked != 0 {
		t.Errorf("a verifier was shown %d texts from the query", asked)
	}
	named := s.serve(t, middleware.Config{DangerouslyAcceptQueryKey: true, QueryParameter: "the key"})
	named.expect(t, get("/claims?the+key={read}"), deprecated())
	named.expect(t, get("/claims?api_key={read}"), missing)
}

// What was in the query is gone for whoever looks at the request later: the
// handler, its dumps and panics, and a logger around it all (T-126).
func (mount Mount) queryKeyIsGone(t *testing.T) {
	t.Parallel()
	s := open(t, mount)
	var mu sync.Mutex
	var logged bytes.Buffer
	note := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(&logged, format+"\n", args...)
	}
	v := &server{service: s}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		dump, _ := httputil.DumpRequest(r, true)
		_ = r.ParseForm()
		note("%s %v %q %v %v", dump, r.Form, r.FormValue("api_key"), r.URL, r)
		v.ServeHTTP(w, r)
		if r.URL.Path == "/panic" {
			panic(fmt.Sprint("at ", r.URL, r.RequestURI))
		}
	})
	config := withQuery()
	config.OnDecision = func(_ context.Context, d middleware.Decision) {
		slog.New(slog.NewTextHandler(writer(func(p []byte) { note("%s", p) }), nil)).Info("decided", "decision", d)
	}
	guarded := s.mount(v.auth(t, config), []Route{
		{Pattern: "GET /claims", Handler: handler},
		{Pattern: "GET /maybe", Optional: true, Handler: handler},
		{Pattern: "GET /panic", Handler: handler},
		{Pattern: "POST /claims", Handler: handler},
	})
	v.start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Parse") != "" {
			_ = r.ParseForm()
		}
		defer func() { note("%s %v %s %v", r.Method, r.URL, r.RequestURI, r.Form) }()
		guarded.ServeHTTP(w, r)
	}))
	for _, tt := range []struct{ desc, raw, left string }{
		{"alone", get("/claims?api_key={read}"), ""},
		{"among others", get("/claims?a=1&api_key={read}&b=2"), "a=1&b=2"},
		{"odd neighbours stay", get("/claims?&&a;b&%zz&api_key={read}&c=%20+"), "&&a;b&%zz&c=%20+"},
		{"in a form parsed before", get("/claims?a=1&api_key={read}", "Parse: yes"), "a=1"},
		{"behind Optional", get("/maybe?api_key={read}&x"), "x"},
		{"before a panic", get("/panic?api_key={read}"), ""},
		{"in a POST", strings.Replace(request("POST", "/claims?a&api_key={read}", "Content-Length: 1"), "\r\n\r\n", "\r\n\r\n-", 1), "a"},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			v.send(t, tt.raw)
			r := v.last()
			if want := strings.TrimSuffix(r.URL.Path+"?"+tt.left, "?"); r.URL.RawQuery != tt.left || r.RequestURI != want {
				t.Errorf("the handler sees %q and %q", r.URL, r.RequestURI)
			}
			if parsed, _ := url.ParseQuery(tt.left); r.Form.Encode() != parsed.Encode() {
				t.Errorf("the handler sees the form %v", r.Form)
			}
		})
	}
	for _, raw := range []string{ // refused
		get("/claims?api_key={read}", "X-API-Key: {read}"),
		get("/claims?api_key={read}", "X-API-Key: {write}", "X-API-Key: {write}"),
		get("/claims?api_key={read}&api_key={read}"),
		get("/claims?api_key={read};a=b"),
		get("/claims?api_key={read}%20"),
		get("/claims?api_key={read}", "Via: 1.1 proxy"),
		get("/claims?api_key={test}"),
		get("/maybe?api_key={wrong}"),
	} {
		v.send(t, raw)
	}
	mu.Lock()
	defer mu.Unlock()
	v.mu.Lock()
	defer v.mu.Unlock()
	s.secretless(t, logged.String())
	s.secretless(t, v.log.String())
	if v.log.Len() == 0 || strings.Count(logged.String(), "msg=decided") != 15 {
		t.Errorf("too little was logged to prove anything:\n%s", &logged)
	}
}

// Guards may stand behind each other, wherever the credential comes from: each
// asks for what it is there for.
func (mount Mount) nested(t *testing.T) {
	t.Parallel()
	s := open(t, mount)
	v := &server{service: s}
	outer, inner := v.auth(t, withQuery()), v.auth(t, withQuery())
	deaf := v.auth(t, middleware.Config{})
	v.start(t, s.mount(outer, []Route{
		{Pattern: "GET /claims", Optional: true, Handler: s.mount(outer, v.routes())},
		{Pattern: "POST /claims", Handler: s.mount(inner, v.routes())},
		{Pattern: "GET /any", Handler: s.mount(deaf, v.routes())},
	}))
	for _, tt := range []struct{ desc, raw, want string }{
		{"header", get("/claims", "Authorization: Bearer {read}"), admitted},
		{"header, the inner guard refuses", get("/claims", "Authorization: Bearer {write}"), lacksRead},
		{"none, the inner guard refuses", get("/claims"), missing},
		{"query", get("/claims?api_key={read}"), deprecated()},
		{"query, the inner guard refuses", get("/claims?api_key={write}"), with(lacksRead, "Deprecation: @1735689600", "Referrer-Policy: no-referrer")},
		{"query, another Auth", request("POST", "/claims?api_key={write}"), deprecated()},
		{"query, an Auth that takes none", get("/any?api_key={read}"), with(missing, "Deprecation: @1735689600", "Referrer-Policy: no-referrer")},
		{"query and header", get("/claims?api_key={read}", "X-API-Key: {read}"), twice},
	} {
		t.Run(tt.desc, func(t *testing.T) { v.expect(t, tt.raw, tt.want) })
	}
}
