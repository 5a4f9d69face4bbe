package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/examples/internal/store"
	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/keystore/bulk"
	"github.com/claviger-go/claviger/middleware"
	"github.com/claviger-go/claviger/middleware/authtest"
	"github.com/claviger-go/claviger/scopes"
)

const (
	events     = "/events-api/v2/event-series"
	facilities = "/facilities-api/v2/facility-uses"
)

// Keys that customers have had for years.
const (
	shopKey   = "6aa0fa074bec4a5cb0e8ed8fd36151ce" // acme's
	readerKey = "0f3c9b5d7e21486a9c04d2b87f6e1a35" // acme's, for the Events API alone
	resortKey = "b1946ac92492d2347c6235b4d2611184" // a white-label product's, licensed for two services
	endedKey  = "5d41402abc4b2a76b9719d911017c592" // expires an hour after the start
)

const keyFile = "key,owner,name,scopes,expires,meta.services\n" +
	shopKey + ",acme,Shop,events:read facilities:read,,\n" +
	readerKey + ",acme,Reader,events:read,,1\n" +
	resortKey + ",resort,White label,events:read,,2\n" +
	endedKey + ",acme,Trial,events:read,2026-11-22T04:00:00Z,\n"

// Where a customer's services run, and what they are made with. No two have anything in common.
var (
	shop = from{"203.0.113.5", "python-requests/2.31"}
	app  = from{"198.51.100.7", "okhttp/4.12"}
	bot  = from{"192.0.2.9", "Java/17"}
)

// from is where a request comes from, as the balancer says it.
type from struct{ address, agent string }

// world is the program on one store, with its balancer in front, a clock of its own, and all that it ever said.
type world struct {
	*testing.T

	place   string
	records *store.Store
	server  *server
	url     string

	log     lockedBuffer
	notices chan string

	mu     sync.Mutex
	now    time.Time
	shown  []string       // bodies of all answers
	issued map[string]int // how often a key was shown
}

// on runs a test against a world on the memory and on the SQLite store.
func on(t *testing.T, test func(w *world)) {
	for _, kind := range []string{"memory", "sqlite"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			test(newWorld(t, kind))
		})
	}
}

func newWorld(t *testing.T, kind string) *world {
	w := &world{T: t, notices: make(chan string, 100), now: time.Date(2026, time.November, 22, 3, 0, 0, 0, time.UTC)}
	w.issued = map[string]int{shopKey: 0, readerKey: 0, resortKey: 0, endedKey: 0}
	place := "memory:"
	if kind == "sqlite" {
		w.place = t.TempDir()
		place = "sqlite:" + filepath.Join(w.place, "keys.db")
	}
	var err error
	w.records, err = store.Open(t.Context(), place)
	require.NoError(t, err)
	t.Cleanup(w.requireNothingSecret) // when all are closed
	w.server, w.url = w.start()
	require.NoError(t, w.server.importKeys(t.Context(), strings.NewReader(keyFile), bulk.CSV))
	return w
}

// start is one more process on the same store.
func (w *world) start() (s *server, url string) {
	s, err := newServer(w.records, config{
		log:     slog.New(slog.NewTextHandler(&w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		notify:  func(owner, text string) { w.notices <- owner + ": " + text },
		proxies: []middleware.Proxy{{Network: "127.0.0.0/8"}},
		now:     w.clock, lookupTimeout: time.Minute,
	})
	require.NoError(w, err)
	socket := httptest.NewServer(s.routes)
	w.Cleanup(func() {
		socket.Close()
		require.NoError(w, s.keys.Close())
	})
	return s, socket.URL
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// answered is what came back.
type answered struct {
	status int
	header http.Header
	body   string
}

// problem is the kind of refusal, "" if it is none.
func (a answered) problem() string {
	var problem struct {
		Type string `json:"type"`
	}
	_ = json.Unmarshal([]byte(a.body), &problem) // no JSON has no type
	return strings.TrimPrefix(problem.Type, "urn:claviger:problem:")
}

// send sends a request through the balancer, with headers in pairs.
func (w *world) send(url, method, path string, from from, headers ...string) answered {
	w.Helper()
	r, err := http.NewRequestWithContext(w.Context(), method, url+path, http.NoBody)
	require.NoError(w, err)
	r.Header.Set("X-Forwarded-For", from.address)
	r.Header.Set("X-Forwarded-Proto", "https")
	r.Header.Set("User-Agent", from.agent)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := new(http.Transport).RoundTrip(r)
	require.NoError(w, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	require.NoError(w, err)
	answer.Header.Del("Date")
	w.mu.Lock()
	defer w.mu.Unlock()
	w.shown = append(w.shown, string(body))
	return answered{answer.StatusCode, answer.Header, string(body)}
}

// get asks with a key, from the shop's own server.
func (w *world) get(path, key string, headers ...string) answered {
	w.Helper()
	return w.send(w.url, http.MethodGet, path, shop, append([]string{"X-API-KEY", key}, headers...)...)
}

// requireKey requires that a key works, and how.
func (w *world) requireKey(key string, status int) answered {
	w.Helper()
	a := w.get(events, key)
	require.Equal(w, status, a.status, a.body)
	return a
}

// renew rotates or replaces a key.
func (w *world) renew(how, id, manager string) (renewed, answered) {
	w.Helper()
	a := w.send(w.url, http.MethodPost, "/keys/"+id+"/"+how, shop, "X-API-KEY", manager)
	var fresh renewed
	if a.status == http.StatusOK {
		require.NoError(w, json.Unmarshal([]byte(a.body), &fresh))
		w.mu.Lock()
		defer w.mu.Unlock()
		w.issued[fresh.Key] = 1
	}
	return fresh, a
}

// manager issues a key for managing keys.
func (w *world) manager(owner string, may ...scopes.Scope) string {
	w.Helper()
	spec := keystore.Spec{Owner: owner, Name: "Manager", Scopes: append(may, "keys:manage"), Limits: terms(1)}
	return w.issue(spec)
}

func (w *world) issue(spec keystore.Spec) string {
	w.Helper()
	key := authtest.Mint(w, w.server.keys, spec).Credential.Reveal()
	w.issued[key] = 0
	return key
}

// id is the id of a key.
func (w *world) id(key string) string {
	w.Helper()
	p, err := w.server.keys.Verify(w.Context(), key)
	require.NoError(w, err)
	return p.KeyID()
}

// notice waits for the next one.
func (w *world) notice() string {
	w.Helper()
	select {
	case text := <-w.notices:
		return text
	case <-time.After(time.Minute):
		require.FailNow(w, "no notice came")
		return ""
	}
}

// requireNothingSecret looks for keys where none may be, when all is said and closed (T-130, R-17).
func (w *world) requireNothingSecret() {
	kept := w.stored()
	require.NoError(w, w.records.Close())
	if w.place != "" {
		files, err := os.ReadDir(w.place)
		require.NoError(w, err)
		require.NotEmpty(w, files)
		for _, file := range files {
			data, err := os.ReadFile(filepath.Join(w.place, file.Name()))
			require.NoError(w, err)
			kept += string(data)
		}
	}
	close(w.notices)
	var told strings.Builder
	for text := range w.notices {
		told.WriteString(text)
	}
	log, shown := w.log.String(), strings.Join(w.shown, "\n")
	require.Contains(w, log, "type=imported", "something was logged")
	require.Contains(w, kept, "sha256:", "something was kept")
	for secret, times := range w.issued {
		for what, text := range map[string]string{"store": kept, "log": log, "notices": told.String()} {
			require.NotContains(w, text, secret, what)
			require.NotContains(w, text, secret[len(secret)-32:], "not even the secret part of it: "+what)
		}
		require.Equal(w, times, strings.Count(shown, secret), "shown once")
	}
}

// stored is all that the store keeps, as it gives it back.
func (w *world) stored() string {
	var all bytes.Buffer
	for after := ""; ; {
		page, err := w.records.List(context.WithoutCancel(w.Context()), keystore.Filter{After: after})
		require.NoError(w, err)
		require.NoError(w, json.NewEncoder(&all).Encode(page.Records))
		if after = page.Next; after == "" {
			return all.String()
		}
	}
}

// lockedBuffer is written by many goroutines.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
