package guardtest

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/middleware"
)

// Two of them are none, in every order and over both versions of HTTP (T-001).
func (mount Mount) repeatedHeader(t *testing.T) {
	t.Parallel()
	s := open(t, mount)
	v := s.serve(t, middleware.Config{})
	secure, client := v.overTLS(t)
	s.store.lookups.Store(0)
	good, bad := "Bearer {read}", "Bearer {wrong}"
	for _, tt := range []struct {
		desc, name string
		values     []string
	}{
		{"good and bad", "Authorization", []string{good, bad}},
		{"bad and good", "Authorization", []string{bad, good}},
		{"the same twice", "Authorization", []string{good, good}},
		{"good and empty", "Authorization", []string{good, ""}},
		{"empty and good", "Authorization", []string{"", good}},
		{"another scheme and good", "Authorization", []string{"Basic eDp5", good}},
		{"good and another scheme", "Authorization", []string{good, "Basic eDp5"}},
		{"twenty", "Authorization", strings.Split(strings.Repeat(bad+",", 19)+good, ",")},
		{"names in two cases", "aUTHORIZATION", []string{good, bad}},
		{"the other header, good and bad", "X-API-Key", []string{"{read}", "{wrong}"}},
		{"the other header, the same twice", "x-api-key", []string{"{read}", "{read}"}},
		{"the other header, good and empty", "X-Api-Key", []string{"{read}", ""}},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			lines := make([]string, len(tt.values))
			header := http.Header{}
			for i, value := range tt.values {
				lines[i] = tt.name + ": " + value
				header.Add(tt.name, s.fill(value))
			}
			for _, route := range []string{"/claims", "/maybe"} {
				v.expect(t, get(route, lines...), twice)
			}
			v.expectHTTP2(t, client, secure.URL+"/claims", header, twice)
			if got := s.store.lookups.Swap(0); got != 0 {
				t.Errorf("the store was asked %d times", got)
			}
		})
	}
	v.expectHTTP2(t, client, secure.URL+"/claims", http.Header{"Authorization": {s.fill(good)}}, admitted)
}

// What is between scheme and credential, and what it is made of. {key} is good.
func (mount Mount) authorizationSyntax(t *testing.T) {
	t.Parallel()
	s := open(t, mount)
	v := s.serve(t, middleware.Config{})
	const nobody = "" // net/http itself answers 400
	for _, tt := range []struct{ desc, value, want string }{
		{"T-002 two in one value", "Bearer {read}, Bearer {read}", invalid},
		{"T-002 a comma", "Bearer {read},x", invalid},
		{"T-002 a comma, nothing behind it", "Bearer {read},", invalid},
		{"T-002 two texts", "Bearer {read} {read}", invalid},
		{"T-002 another scheme first", "Basic eDp5, Bearer {read}", missing},
		{"T-003 lower case", "bearer {read}", admitted},
		{"T-003 upper case", "BEARER {read}", admitted},
		{"T-003 mixed case", "BeArEr {read}", admitted},
		{"T-003 Basic", "Basic {read}", missing},
		{"T-003 Token", "Token {read}", missing},
		{"T-003 a scheme that begins alike", "Bearerx {read}", missing},
		{"T-003 another that begins alike", "Bearer-Key {read}", missing},
		{"T-003 no scheme", "{read}", missing},
		{"T-003 nothing between", "Bearer{read}", missing},
		{"T-004 empty", "", missing},
		{"T-004 the scheme alone", "Bearer", invalid},
		{"T-004 the scheme and spaces", "Bearer   ", invalid},
		{"T-004 several spaces", "Bearer     {read}", admitted},
		{"T-004 spaces around", "   Bearer {read}   ", admitted},
		{"T-004 a folded line", "Bearer\r\n  {read}", admitted},
		{"T-004 a tab", "Bearer\t{read}", invalid},
		{"T-004 a space and a tab", "Bearer \t{read}", invalid},
		{"T-004 a colon", "Bearer:{read}", invalid},
		{"T-004 quotes", `Bearer "{read}"`, invalid},
		{"T-004 a no-break space", "Bearer\u00a0{read}", invalid},
		{"T-005 NUL", "Bearer {read}\x00", nobody},
		{"T-005 NUL first", "Bearer \x00{read}", nobody},
		{"T-005 carriage return", "Bearer {re\rad}", nobody},
		{"T-005 escape", "Bearer {read}\x1b[0m", nobody},
		{"T-005 DEL", "Bearer {read}\x7f", nobody},
		{"T-005 a line feed ends the line", "Bearer {malformed}\nX-Rest: x", invalid},
		{"T-005 8-bit", "Bearer {read}\xff", invalid},
		{"T-005 a no-break space behind", "Bearer {read}\u00a0", invalid},
		{"T-005 a zero-width space", "Bearer {read}\u200b", invalid},
		{"T-005 a byte order mark", "Bearer \ufeff{read}", invalid},
		{"T-005 a soft hyphen", "Bearer {read}\u00ad", invalid},
		{"T-009 percent-encoded", "Bearer %73k{read}", invalid},
		{"T-009 an encoded underscore", "Bearer sk%5flive", invalid},
		{"T-009 full-width digits", "Bearer {malformed}\uff11", invalid},
		{"T-009 UTF-16", "Bearer s\x00k\x00", nobody},
		{"T-009 base64", "Bearer c2tfbGl2ZV8=", invalid},
		{"T-009 upper case", "Bearer SK_LIVE_{read}", invalid},
		{"a stored id", "Bearer " + s.ids["read"], invalid},
		{"our own example", "Bearer " + keystore.ExampleCredential, invalid},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			before := s.store.lookups.Load()
			raw := get("/claims", "Authorization: "+tt.value)
			switch tt.want {
			case nobody:
				answer := v.send(t, raw)
				v.clean(t, answer)
				if !strings.HasPrefix(answer, "HTTP/1.1 400 ") || v.called() != 0 && v.last().Header.Get("Authorization") == tt.value {
					t.Errorf("%q is answered %q", tt.value, answer)
				}
				return
			case missing:
				v.expect(t, get("/maybe", "Authorization: "+tt.value), admitted) // not taken for a credential at all
			case invalid:
				v.expect(t, get("/maybe", "Authorization: "+tt.value), invalid)
			}
			v.expect(t, raw, tt.want)
			if asked := s.store.lookups.Load() - before; tt.want != admitted && asked > 1 || tt.want == missing && asked > 0 {
				t.Errorf("the store was asked %d times", asked)
			}
		})
	}
}

// What is too long is refused unread: no Lookup, no verifier (T-007).
func (mount Mount) oversized(t *testing.T) {
	t.Parallel()
	s := open(t, mount)
	asked := 0
	v := s.serve(t, middleware.Config{
		DangerouslyAcceptQueryKey: true,
		Verifiers: []keystore.Verifier{verifier(func(_ context.Context, text string) (*keystore.Principal, error) {
			asked = len(text)
			return nil, keystore.ErrUnrecognized
		})},
	})
	s.store.lookups.Store(0)
	long := strings.Repeat("a", 1<<20)
	for _, tt := range []struct {
		desc, raw, want string
		asked           int
	}{
		{"as long as allowed", get("/claims", "Authorization: Bearer "+long[:4096]), invalid, 4096},
		{"one longer", get("/claims", "Authorization: Bearer "+long[:4097]), invalid, 0},
		{"a good one and more", get("/claims", "Authorization: Bearer {read}"+long[:4096]), invalid, 0},
		{"1 MiB", get("/claims", "Authorization: Bearer "+long[:1<<20-1024]), invalid, 0},
		{"1 MiB, the other header", get("/claims", "X-API-Key: "+long[:1<<20-1024]), invalid, 0},
		{"1 MiB in the query", get("/claims?api_key=" + long[:1<<20-1024]), invalid, 0},
		{"1 MiB of another scheme", get("/claims", "Authorization: Basic "+long[:1<<20-1024]), missing, 0},
	} {
		asked = 0
		v.expect(t, tt.raw, tt.want)
		if asked != tt.asked {
			t.Errorf("%s: a verifier was shown %d bytes instead of %d", tt.desc, asked, tt.asked)
		}
	}
	for _, name := range []string{"Authorization: Bearer ", "X-API-Key: "} {
		if got := v.send(t, get("/claims", name+long+long[:100_000])); !strings.HasPrefix(got, "HTTP/1.1 431 ") {
			t.Errorf("1.1 MiB in %s are answered %q", name, got)
		}
	}
	if got := s.store.lookups.Load(); got != 0 {
		t.Errorf("the store was asked %d times", got)
	}
}

// Quantity buys nothing: one Lookup at most, and the same answers (T-008).
func (mount Mount) manyOfEverything(t *testing.T) {
	t.Parallel()
	s := open(t, mount)
	v := s.serve(t, middleware.Config{DangerouslyAcceptQueryKey: true})
	headers := make([]string, 0, 50_001)
	for i := range cap(headers) - 1 {
		headers = append(headers, "X-"+string(rune('a'+i%26))+": b")
	}
	for _, tt := range []struct{ desc, raw, want string }{
		{"headers", get("/claims", append(headers, "Authorization: Bearer {read}")...), admitted},
		{"headers, no credential", get("/claims", headers...), missing},
		{"headers of the credential's name", get("/claims", strings.Split(strings.Repeat("X-API-Key: {read}\n", 5_000)+"A: b", "\n")...), twice},
		{"cookies", get("/claims", "Cookie: "+strings.Repeat("api_key={read}; ", 5_000), "X-API-Key: {read}"), with(admitted, "Cache-Control: private")},
		{"parameters", get("/claims?"+strings.Repeat("a=b&", 10_000), "Authorization: Bearer {read}"), admitted},
		{"parameters, no credential", get("/claims?" + strings.Repeat("api_key[]={read}&", 5_000)), missing},
		{"parameters of the credential's name", get("/claims?" + strings.Repeat("api_key={read}&", 5_000)), twice},
		{"forwarded addresses", get("/claims", "Authorization: Bearer {read}", "X-Forwarded-For: "+strings.Repeat("10.0.0.1, ", 10_000)+"10.0.0.1"), httpsRequired},
	} {
		s.store.lookups.Store(0)
		v.expect(t, tt.raw, tt.want)
		if got := s.store.lookups.Load(); got > 1 {
			t.Errorf("%s: the store was asked %d times", tt.desc, got)
		}
	}
}

// Only configured places hold credentials (T-012), by their exact names (T-013).
func (mount Mount) elsewhere(t *testing.T) {
	t.Parallel()
	s := open(t, mount)
	v := s.serve(t, middleware.Config{})
	for _, tt := range []struct{ desc, raw, want string }{
		{"cookie", get("/claims", "Cookie: Authorization={read}; X-API-Key={read}; api_key={read}"), missing},
		{"path", get("/claims/{read}"), missing},
		{"user information", get("http://x:{read}@api.example/claims"), missing},
		{"WebSocket protocol", get("/claims", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Protocol: {read}"), missing},
		{"body of a GET", strings.Replace(get("/claims", "Content-Length: 3"), "\r\n\r\n", "\r\n\r\n{} ", 1), missing},
		{"Proxy-Authorization", get("/claims", "Proxy-Authorization: Bearer {read}"), missing},
		{"X-Api-Token", get("/claims", "X-Api-Token: {read}"), missing},
		{"X_Api_Key", get("/claims", "X_Api_Key: {read}"), missing},
		{"XAPIKey", get("/claims", "XAPIKey: {read}"), missing},
		{"X-Api--Key", get("/claims", "X-Api--Key: {read}"), missing},
		{"HTTP_AUTHORIZATION", get("/claims", "HTTP_AUTHORIZATION: Bearer {read}"), missing},
		{"X_Api_Key beside a good one", get("/claims", "X_Api_Key: {wrong}", "Authorization: Bearer {read}"), admitted},
		{"upper case", get("/claims", "X-API-KEY: {read}"), with(admitted, "Cache-Control: private")},
		{"lower case", get("/claims", "authorization: Bearer {read}"), admitted},
		{"a scheme in the other header", get("/claims", "X-API-Key: Bearer {read}"), invalid},
		{"empty", get("/claims", "X-API-Key:"), missing},
		{"empty beside a good one", get("/claims", "X-API-Key:", "Authorization: Bearer {read}"), admitted},
	} {
		t.Run(tt.desc, func(t *testing.T) { v.expect(t, tt.raw, tt.want) })
	}
	if got := v.send(t, get("/claims", "X-API-Key : {read}")); !strings.HasPrefix(got, "HTTP/1.1 400 ") {
		t.Errorf("a space before the colon is answered %q", got)
	}
	t.Run("a name in the map that is not canonical", func(t *testing.T) {
		inner := v.handler
		outer := (&server{service: s}).start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Header["x-api-key"] = []string{s.texts["read"]}
			r.Header["authorization"] = []string{"Bearer " + s.texts["read"]}
			inner.ServeHTTP(w, r)
		}))
		outer.expect(t, get("/claims"), missing)
	})
	t.Run("other sources", func(t *testing.T) {
		only := s.serve(t, middleware.Config{Sources: []middleware.Source{middleware.Header("x-claims-key")}})
		want := strings.NewReplacer("Authorization: Bearer or X-Api-Key", "X-Claims-Key", "214", "192").Replace(missing)
		only.expect(t, get("/claims", "Authorization: Bearer {read}"), want)
		only.expect(t, get("/claims", "X-API-Key: {read}"), want)
		only.expect(t, get("/claims", "X-Claims-Key: {read}", "Authorization: Bearer {wrong}"), with(admitted, "Cache-Control: private"))
		only.expect(t, get("/claims", "X-Claims-Key: {read}", "X-Claims-Key: {read}"), twice)
	})
}
