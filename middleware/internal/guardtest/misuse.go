package guardtest

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/middleware"
)

// events keeps what Keys told of misuse.
type events struct {
	mu   sync.Mutex
	told []keystore.Event
}

func (e *events) hear(_ context.Context, event keystore.Event) {
	if event.Type != keystore.EventMisuse && event.Type != keystore.EventExposed {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.told = append(e.told, event)
}

// misused closes the keys, which tells what is still to be told, and compares it.
func (s *service) misused(t *testing.T, want ...keystore.Event) {
	t.Helper()
	if err := s.keys.Close(); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(s.events.told, want) {
		t.Errorf("OnEvent heard %+v instead of %+v", s.events.told, want)
	}
}

// sign is what OnEvent hears of one.
func (s *service) sign(t *testing.T, name string, what keystore.EventType, reason keystore.Reason, network string) keystore.Event {
	t.Helper()
	r, err := s.keys.Lookup(t.Context(), s.ids[name])
	if err != nil {
		t.Fatal(err)
	}
	return keystore.Event{
		Type: what, Time: s.clock.now(), KeyID: r.ID, Kind: r.Kind, Owner: r.Owner,
		Network: netip.MustParsePrefix(network), Reason: reason,
	}
}

// Signs of misuse are told with the client's network, which is not the proxy's; only
// requests with a genuine key are any, and only those that are admitted tell who uses
// it (M3, M4, T-059).
func (mount Mount) misuse(t *testing.T) {
	t.Parallel()
	s := open(t, mount)
	v := s.from(t, middleware.Config{TrustedProxies: []middleware.Proxy{{Network: "10.0.0.0/8"}}})
	from := func(client, agent string, lines ...string) []string {
		s.clock.advance(time.Second)
		return append(lines, "Peer: 10.1.2.3:80", "X-Forwarded-Proto: https", "X-Forwarded-For: "+client, "User-Agent: "+agent)
	}
	const key, other = "Authorization: Bearer {licensed}", "Authorization: Bearer {server}"

	v.expect(t, get("/claims", from("192.0.2.1", "importer/1.0", key)...), admitted)
	v.expect(t, get("/claims", from("192.0.2.99", "importer/2.0", key)...), admitted)
	v.expect(t, get("/claims", from("2001:db8::1", "importer", key)...), admitted)
	v.expect(t, get("/claims", from("2001:db8::2", "curl/8", "X-API-Key: {licensed}")...), with(admitted, "Cache-Control: private"))
	v.expect(t, request("POST", "/claims", from("203.0.113.1", "thief/1", key)...), lacksWrite)
	v.expect(t, get("/claims", from("203.0.113.1", "thief/1", "Authorization: Bearer {wrong}")...), invalid)
	v.expect(t, get("/claims", from("203.0.113.1", "thief/1", strings.TrimSuffix(key, "}")+"}x")...), invalid)
	v.expect(t, get("/claims", from("192.0.2.1", "Mozilla/5.0", other)...), admitted)
	v.expect(t, get("/claims", from("192.0.2.1", "Mozilla/5.0", "Authorization: Bearer {wrong}", "Origin: https://app.example")...), invalid)
	var want []keystore.Event
	v.expect(t, get("/claims", from("198.51.100.1", "thief/1", key)...), admitted)
	want = append(want, s.sign(t, "licensed", keystore.EventMisuse, keystore.ReasonServices, "198.51.100.0/24"))
	for range 2 {
		v.expect(t, get("/claims", from("192.0.2.1", "Mozilla/5.0", other, "Origin: https://app.example")...), browserRefused)
		if len(want) == 1 {
			want = append(want, s.sign(t, "server", keystore.EventMisuse, keystore.ReasonBrowser, "192.0.2.0/24"))
		}
	}
	s.misused(t, want...)
}
