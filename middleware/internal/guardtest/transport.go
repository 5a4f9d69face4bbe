package guardtest

import (
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/middleware"
)

// from is a server whose peer is whoever the header Peer says.
func (s *service) from(t *testing.T, config middleware.Config) *server {
	t.Helper()
	v := &server{service: s}
	guarded := s.mount(v.auth(t, config), v.routes())
	return v.start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if peer, said := r.Header["Peer"]; said {
			r.RemoteAddr = peer[0]
		}
		guarded.ServeHTTP(w, r)
	}))
}

// A credential in clear is refused whatever it is, without a redirect that would
// keep the client's mistake working, and whose it was is told (T-051, T-055).
func (mount Mount) plainHTTP(t *testing.T) {
	t.Parallel()
	s := open(t, mount)
	v := s.from(t, middleware.Config{})
	key := "Authorization: Bearer {read}"
	for _, tt := range []struct{ raw, id string }{
		{get("/claims"), ""},
		{get("/claims", key), s.ids["read"]},
		{get("/claims", "X-API-Key: {read}"), s.ids["read"]},
		{get("/maybe", key), s.ids["read"]},
		{get("/claims", "Authorization: Bearer {wrong}"), s.ids["wrong"]},
		{get("/claims", "Authorization: Bearer {suspended}"), s.ids["suspended"]},
		{get("/claims", "Authorization: Bearer {malformed}"), ""},
		{get("/claims", key, "X-API-Key: {read}"), ""},
	} {
		v.expect(t, strings.Replace(tt.raw, "Host:", "Peer: 198.51.100.7:1234\r\nHost:", 1), httpsRequired)
		if d := v.decision(); d.Outcome != keystore.OutcomeHTTPSRequired || d.KeyID != tt.id || d.Status != http.StatusForbidden || d.Err != nil {
			t.Errorf("OnDecision hears %+v instead of the key %q", d, tt.id)
		}
	}
	for peer, want := range map[string]string{
		"127.0.0.1:1": admitted, "127.255.255.254:1": admitted, "[::1]:1": admitted, "[::ffff:127.0.0.1]:1": admitted,
		"198.51.100.7:1": httpsRequired, "10.0.0.1:1": httpsRequired, "0.0.0.0:1": httpsRequired, "[::]:1": httpsRequired,
		"[fe80::1%lo]:1": httpsRequired, "localhost:1": httpsRequired, "127.1:1": httpsRequired, "0x7f000001:1": httpsRequired,
		"127.0.0.1.example:1": httpsRequired, "": httpsRequired, "@": httpsRequired, "/run/x.sock": httpsRequired, "?": httpsRequired,
	} {
		v.expect(t, get("/claims", "Peer: "+peer, key), want)
	}
	for _, line := range []string{
		"X-Forwarded-For: 127.0.0.1", "X-Forwarded-For:", "X-Forwarded-Proto: https", "Forwarded: proto=https", "Forwarded: for=127.0.0.1",
		"X-Forwarded-Host: localhost", "X-Real-IP: 127.0.0.1", "Via: 1.1 x", "x-FORWARDED-for: ::1",
		"X-Forwarded-Port: 443", "X-Forwarded-Server: x", "X-Forwarded-Anything: x", "CF-Connecting-IP: 127.0.0.1", "True-Client-IP: ::1",
		"X-Client-IP: x", "X-Cluster-Client-IP: x", "X-Original-Forwarded-For: x", "Fastly-Client-IP: x", "Front-End-Https: on",
	} {
		v.expect(t, get("/claims", key, line), httpsRequired)
	}

	open := s.from(t, middleware.Config{DangerouslyAllowHTTP: true})
	open.expect(t, get("/claims", "Peer: 198.51.100.7:1234", key), admitted)
	open.expect(t, get("/claims", "Peer: 198.51.100.7:1234", "X-Forwarded-Proto: http"), missing)

	secure, client := v.overTLS(t)
	before := v.called()
	raw := get("/claims", "Peer: 198.51.100.7:1234", key, "X-Forwarded-Proto: http", "X-Forwarded-For: 10.0.0.1")
	v.compare(t, raw, exchange(t, dialTLS(t, secure), s.fill(raw)), admitted, before)
	header := http.Header{"Peer": {"198.51.100.7:1234"}, "Authorization": {s.fill("Bearer {read}")}}
	v.expectHTTP2(t, client, secure.URL+"/claims", header, admitted)

	// Also where nobody hears of decisions, the key is looked up: its owner has to be told.
	auth, err := middleware.New(s.keys, middleware.Config{})
	if err != nil {
		t.Fatal(err)
	}
	silent := (&server{service: s}).start(t, s.mount(auth, v.routes()))
	s.store.lookups.Store(0)
	silent.expect(t, get("/claims", "Authorization: Bearer {all}", "Via: 1.1 x"), httpsRequired)
	if got := s.store.lookups.Load(); got != 1 {
		t.Errorf("the store was asked %d times", got)
	}
	// Each once, and neither the one with another secret nor those that are dead.
	s.misused(t,
		s.sign(t, "read", keystore.EventExposed, "", "198.51.100.0/24"),
		s.sign(t, "all", keystore.EventExposed, "", "127.0.0.0/24"))
}

// What proxies say of the scheme counts if they are trusted, and the worst of it
// (T-052); other spellings say nothing (T-057).
func (mount Mount) forwardedScheme(t *testing.T) {
	t.Parallel()
	s := open(t, mount)
	proxies := s.from(t, middleware.Config{TrustedProxies: []middleware.Proxy{
		{Network: "10.0.0.0/8"}, {Network: "192.168.7.0/24", TLSOnly: true}, {Network: "2001:db8::/32"},
	}})
	private := s.from(t, middleware.Config{TrustedProxies: []middleware.Proxy{{Network: middleware.PrivateNetworks}}})
	const trusted, tlsOnly, stranger = "10.1.2.3:80", "192.168.7.1:80", "198.51.100.7:80"
	for _, tt := range []struct {
		peer, lines string
		https       bool
	}{
		{trusted, "", false},
		{trusted, "X-Forwarded-Proto: https", true},
		{trusted, "x-forwarded-PROTO: HTTPS", true},
		{trusted, "X-Forwarded-Proto: http", false},
		{trusted, "X-Forwarded-Proto:", false},
		{trusted, "X-Forwarded-Proto: https, https", true},
		{trusted, "X-Forwarded-Proto: https,http", false},
		{trusted, "X-Forwarded-Proto: http, https", false},
		{trusted, "X-Forwarded-Proto: https,", false},
		{trusted, "X-Forwarded-Proto: https ftp", false},
		{trusted, "X-Forwarded-Proto: https\nX-Forwarded-Proto: http", false},
		{trusted, "X-Forwarded-Proto: http\nX-Forwarded-Proto: https", false},
		{trusted, "X-Forwarded-Proto: httpsx", false},
		{trusted, "Forwarded: proto=https", true},
		{trusted, `Forwarded: for="[2001:db8::1]:4711";Proto="HTTPS";by=10.0.0.1`, true},
		{trusted, "Forwarded: for=192.0.2.1;proto=http", false},
		{trusted, "Forwarded: proto=https, proto=http", false},
		{trusted, "Forwarded: proto=http, proto=https", false},
		{trusted, "Forwarded: proto=https\nForwarded: proto=http", false},
		{trusted, `Forwarded: for=", proto=http`, false},
		{trusted, "Forwarded: for=192.0.2.1", false},
		{trusted, "Forwarded: xproto=https", false},
		{trusted, "X-Forwarded-Proto: https\nForwarded: for=192.0.2.1", true},
		{trusted, "X-Forwarded-Proto: https\nForwarded: proto=http", false},
		{trusted, "X-Forwarded-Proto: http\nForwarded: proto=https", false},
		{trusted, "X_Forwarded_Proto: https", false},
		{trusted, "X-Forwarded-Proto: https\nX_Forwarded_Proto: http", true},
		{trusted, "X-Forwarded-Scheme: https\nX-Forwarded-Ssl: on\nFront-End-Https: on\nX-Url-Scheme: https", false},
		{trusted, "X-Forwarded-For: 127.0.0.1", false},
		{"[::ffff:10.1.2.3]:80", "X-Forwarded-Proto: https", true},
		{"[2001:db8::1%eth0]:80", "X-Forwarded-Proto: https", true},
		{tlsOnly, "", true},
		{tlsOnly, "X-Forwarded-For: 192.0.2.1", true},
		{tlsOnly, "X-Forwarded-Proto: http", false},
		{tlsOnly, "X-Forwarded-Proto: https", true},
		{stranger, "X-Forwarded-Proto: https", false},
		{stranger, "Forwarded: proto=https", false},
		{stranger, "X-Forwarded-For: 10.1.2.3\nX-Forwarded-Proto: https", false},
		{"127.0.0.1:80", "X-Forwarded-Proto: https", false},
		{"127.0.0.1:80", "", true},
		{"@", "X-Forwarded-Proto: https", false},
	} {
		want := httpsRequired
		if tt.https {
			want = admitted
		}
		lines := append([]string{"Peer: " + tt.peer, "Authorization: Bearer {read}"}, strings.FieldsFunc(tt.lines, func(c rune) bool { return c == '\n' })...)
		proxies.expect(t, get("/claims", lines...), want)
	}
	// Over TLS the last hop is safe; what a trusted proxy says of the first counts.
	secure, _ := proxies.overTLS(t)
	for _, tt := range []struct{ peer, line, want string }{
		{trusted, "X-Other: x", admitted},
		{trusted, "X-Forwarded-Proto: https", admitted},
		{trusted, "X-Forwarded-Proto: http", httpsRequired},
		{trusted, "Forwarded: proto=http", httpsRequired},
		{tlsOnly, "X-Forwarded-Proto: http", httpsRequired},
		{stranger, "X-Forwarded-Proto: http", admitted},
	} {
		raw, before := get("/claims", "Peer: "+tt.peer, tt.line, "Authorization: Bearer {read}"), proxies.called()
		proxies.compare(t, raw, exchange(t, dialTLS(t, secure), s.fill(raw)), tt.want, before)
	}
	for peer, want := range map[string]string{
		"127.0.0.1:1": admitted, "10.255.255.255:1": admitted, "172.16.0.1:1": admitted, "172.31.255.255:1": admitted,
		"192.168.0.1:1": admitted, "169.254.1.1:1": admitted, "[::1]:1": admitted, "[fd00::1]:1": admitted, "[fe80::1%eth0]:1": admitted,
		"172.15.0.1:1": httpsRequired, "172.32.0.1:1": httpsRequired, "100.64.0.1:1": httpsRequired, "198.51.100.7:1": httpsRequired,
		"[2001:db8::1]:1": httpsRequired, "[fec0::1]:1": httpsRequired, "@": httpsRequired, "": httpsRequired,
	} {
		private.expect(t, get("/claims", "Peer: "+peer, "X-Forwarded-Proto: https", "Authorization: Bearer {read}"), want)
	}
}

// A Unix socket is a peer like any other: trusted if named (T-055).
func (mount Mount) unixSocket(t *testing.T) {
	t.Parallel()
	s := open(t, mount)
	dial := func(config middleware.Config, lines ...string) string {
		v := &server{service: s}
		folder, err := os.MkdirTemp("", "guard") //nolint:usetesting // t.TempDir's name is too long for a socket
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = os.RemoveAll(folder) }()
		listener, err := net.Listen("unix", filepath.Join(folder, "s"))
		if err != nil {
			t.Skipf("SKIP: no Unix sockets here: %v", err)
		}
		web := &http.Server{Handler: s.mount(v.auth(t, config), v.routes()), ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)} //nolint:gosec // G112: of a test
		go func() { _ = web.Serve(listener) }()
		defer func() { _ = web.Close() }()
		conn, err := new(net.Dialer).DialContext(t.Context(), "unix", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		return readable(exchange(t, conn, s.fill(get("/claims", lines...))))
	}
	proxy := func(network string, tlsOnly bool) middleware.Config {
		return middleware.Config{TrustedProxies: []middleware.Proxy{{Network: network, TLSOnly: tlsOnly}}}
	}
	key, https := "Authorization: Bearer {read}", "X-Forwarded-Proto: https"
	for _, tt := range []struct {
		desc   string
		config middleware.Config
		lines  []string
		want   string
	}{
		{"not trusted", middleware.Config{}, []string{key}, httpsRequired},
		{"not trusted, https", middleware.Config{}, []string{key, https}, httpsRequired},
		{"other peers are trusted", proxy(middleware.PrivateNetworks, true), []string{key, https}, httpsRequired},
		{"all addresses are trusted", proxy("0.0.0.0/0", true), []string{key, https}, httpsRequired},
		{"trusted", proxy(middleware.UnixSocket, false), []string{key}, httpsRequired},
		{"trusted, https", proxy(middleware.UnixSocket, false), []string{key, https}, admitted},
		{"trusted, TLS only", proxy(middleware.UnixSocket, true), []string{key}, admitted},
		{"trusted, client unknown", proxy(middleware.UnixSocket, true), []string{"Authorization: Bearer {office}"}, networkRefused},
		{"trusted, client of another network", proxy(middleware.UnixSocket, true), []string{"Authorization: Bearer {office}", "X-Forwarded-For: 192.0.2.1, 198.51.100.1"}, networkRefused},
		{"trusted, client known", proxy(middleware.UnixSocket, true), []string{"Authorization: Bearer {office}", "X-Forwarded-For: 192.0.2.1"}, admitted},
	} {
		if got := dial(tt.config, tt.lines...); got != tt.want {
			t.Errorf("%s: answered\n%s\ninstead of\n%s", tt.desc, got, tt.want)
		}
	}
}
