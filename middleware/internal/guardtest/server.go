package guardtest

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/claviger-go/claviger/middleware"
	"github.com/claviger-go/claviger/scopes"
)

// server is a service behind guards, on a socket.
type server struct {
	*service
	http    *httptest.Server
	handler http.Handler

	mu        sync.Mutex
	seen      []*http.Request // those that reached a handler
	decisions []middleware.Decision
	log       strings.Builder // the HTTP server's own
}

// routes are those that a server has if it is given none.
func (s *server) routes() []Route {
	read, write := []scopes.Scope{"claims:read"}, []scopes.Scope{"claims:write"}
	return []Route{
		{Pattern: "GET /claims", AllOf: read, Handler: s},
		{Pattern: "POST /claims", AllOf: write, Handler: s},
		{Pattern: "GET /claims/{id}", AllOf: read, Handler: s},
		{Pattern: "PUT /claims", AllOf: append(read, write...), Handler: s},
		{Pattern: "GET /either", AnyOf: append(read, write...), Handler: s},
		{Pattern: "GET /any", Handler: s},
		{Pattern: "GET /maybe", Optional: true, Handler: s},
	}
}

// auth makes an Auth that reports to the server, besides whom config names.
func (s *server) auth(t *testing.T, config middleware.Config) *middleware.Auth {
	t.Helper()
	also := config.OnDecision
	config.OnDecision = func(ctx context.Context, d middleware.Decision) {
		s.mu.Lock()
		s.decisions = append(s.decisions, d)
		s.mu.Unlock()
		if also != nil {
			also(ctx, d)
		}
	}
	auth, err := middleware.New(s.keys, config)
	if err != nil {
		t.Fatalf("guardtest: %v", err)
	}
	return auth
}

// serve starts a server on a loopback address, without TLS.
func (s *service) serve(t *testing.T, config middleware.Config, routes ...Route) *server {
	t.Helper()
	v := &server{service: s}
	if len(routes) == 0 {
		routes = v.routes()
	}
	for i := range routes {
		if routes[i].Handler == nil {
			routes[i].Handler = v
		}
	}
	return v.start(t, s.mount(v.auth(t, config), routes))
}

func (s *server) start(t *testing.T, handler http.Handler) *server {
	t.Helper()
	s.handler = handler
	s.http = httptest.NewUnstartedServer(handler)
	s.http.Config.ErrorLog = slog.NewLogLogger(slog.NewTextHandler(writer(func(p []byte) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.log.Write(p)
	}), nil), slog.LevelError)
	s.http.Start()
	t.Cleanup(s.http.Close)
	return s
}

type writer func([]byte)

func (w writer) Write(p []byte) (int, error) { w(p); return len(p), nil }

// ServeHTTP is the protected handler: it notes that it ran, and answers "ok".
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.seen = append(s.seen, r)
	s.mu.Unlock()
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, "ok\n")
}

func (s *server) called() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.seen)
}

// last returns the request that reached a handler last.
func (s *server) last() *http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen[len(s.seen)-1]
}

// decision returns the one told last.
func (s *server) decision() middleware.Decision {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.decisions[len(s.decisions)-1]
}

// request writes a request. Lines are header lines; {read} stands for that key.
func request(method, target string, lines ...string) string {
	return method + " " + target + " HTTP/1.1\r\nHost: api.example\r\n" +
		strings.Join(append(lines, "Connection: close"), "\r\n") + "\r\n\r\n"
}

func get(target string, lines ...string) string { return request(http.MethodGet, target, lines...) }

// send writes bytes to the server and returns what it answers until it hangs up.
func (s *server) send(t *testing.T, raw string) string {
	t.Helper()
	return exchange(t, s.dial(t), s.fill(raw))
}

func (s *server) dial(t *testing.T) net.Conn {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.http.Listener.Addr().String())
	if err != nil {
		t.Fatalf("guardtest: %v", err)
	}
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	return conn
}

func exchange(t *testing.T, conn net.Conn, raw string) string {
	t.Helper()
	defer func() { _ = conn.Close() }()
	go func() { _, _ = io.WriteString(conn, raw) }() // the server may hang up before it has read all
	answer, err := io.ReadAll(conn)
	if err != nil && len(answer) == 0 { // with an answer it hung up on what it did not read
		t.Fatalf("guardtest: reading the answer to %.200q: %v", raw, err)
	}
	return string(answer)
}

// readable brings an answer into the form of this package's constants: what
// net/http adds by itself left out, the header sorted.
func readable(raw string) string {
	head, body, _ := strings.Cut(raw, "\r\n\r\n")
	status, header, _ := strings.Cut(head, "\r\n")
	lines := slices.DeleteFunc(strings.Split(header, "\r\n"), func(line string) bool {
		return strings.HasPrefix(line, "Date: ") || line == "Connection: close"
	})
	slices.Sort(lines)
	return strings.TrimPrefix(status, "HTTP/1.1 ") + "\n" + strings.Join(lines, "\n") + "\n\n" + body
}

// expect sends a request, and compares the whole answer and what the handler saw.
func (s *server) expect(t *testing.T, raw, want string) {
	t.Helper()
	before := s.called()
	s.compare(t, raw, s.send(t, raw), want, before)
}

func (s *server) compare(t *testing.T, raw, answer, want string, before int) {
	t.Helper()
	s.clean(t, answer)
	if got := readable(answer); got != want {
		t.Errorf("%.300q\nis answered\n%s\ninstead of\n%s", raw, got, want)
	}
	ran, admitted := s.called()-before, strings.HasPrefix(want, "200")
	if admitted && ran != 1 || !admitted && ran != 0 {
		t.Errorf("%.300q: the handler ran %d times", raw, ran)
	}
}

// secretless fails if text holds the secret part of a credential.
func (s *service) secretless(t *testing.T, text string) {
	t.Helper()
	for name, credential := range s.texts {
		if strings.Contains(text, credential[len(credential)-49:]) {
			t.Errorf("the key %s is shown: %s", name, text)
		}
	}
}

// clean fails if an answer holds a credential, or what is nobody's business (T-018).
func (s *server) clean(t *testing.T, answer string) {
	t.Helper()
	s.secretless(t, answer)
	for name, id := range s.ids {
		if strings.Contains(answer, id) {
			t.Errorf("an answer shows the id of the key %s: %s", name, answer)
		}
	}
	for _, word := range []string{"goroutine ", "panic", ".go:", "pq:", "password", "keystore", "memstore", "gin", "go1."} {
		if strings.Contains(strings.ToLower(answer), word) {
			t.Errorf("an answer shows %q: %s", word, answer)
		}
	}
}

// expectHTTP2 does as expect, with a request over HTTP/2.
func (s *server) expectHTTP2(t *testing.T, client *http.Client, url string, header http.Header, want string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatalf("guardtest: %v", err)
	}
	r.Header = header
	before := s.called()
	answer, err := client.Do(r)
	if err != nil {
		t.Fatalf("guardtest: %v", err)
	}
	defer func() { _ = answer.Body.Close() }()
	raw, err := httputil.DumpResponse(answer, true)
	if err != nil || answer.ProtoMajor != 2 {
		t.Fatalf("guardtest: HTTP/%d, %v", answer.ProtoMajor, err)
	}
	s.compare(t, url, strings.Replace(string(raw), "HTTP/2.0", "HTTP/1.1", 1), want, before)
}

// overTLS serves the same handler over TLS, with HTTP/2, and returns a client.
func (s *server) overTLS(t *testing.T) (*httptest.Server, *http.Client) {
	t.Helper()
	secure := httptest.NewUnstartedServer(s.handler)
	secure.EnableHTTP2 = true
	secure.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	client := secure.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return secure, client
}

// dialTLS opens a connection that speaks HTTP/1.1 over TLS.
func dialTLS(t *testing.T, secure *httptest.Server) net.Conn {
	t.Helper()
	config := secure.Client().Transport.(*http.Transport).TLSClientConfig.Clone() //nolint:forcetypeassert // httptest says so
	config.NextProtos = []string{"http/1.1"}
	conn, err := (&tls.Dialer{Config: config}).DialContext(t.Context(), "tcp", secure.Listener.Addr().String())
	if err != nil {
		t.Fatalf("guardtest: %v", err)
	}
	return conn
}
