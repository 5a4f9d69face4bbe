package main

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/keystore/bulk"
	"github.com/claviger-go/claviger/middleware/authtest"
	"github.com/claviger-go/claviger/scopes"
)

// TestImin replays imin's documentation, promise by promise: M1 to M6, and what all documented systems share. In each,
// requests go over a real socket, and at the end no key is in the store, a log or a notice.
func TestImin(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]func(*world){
		"M1_imported_keys":     importedKeys,
		"M1_import_file":       importFile,
		"M2_test_key":          publicTestKey,
		"M3_one_service":       oneService,
		"M4_servers_only":      serversOnly,
		"M5_rotation":          rotation,
		"M5_one_at_a_time":     oneAtATime,
		"M6_compromised":       compromised,
		"shared_unauthorized":  unauthorized,
		"shared_forbidden":     forbidden,
		"shared_other_process": otherProcess,
		"shared_whose_key":     whoseKey,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			on(t, test)
		})
	}
}

// M1: keys from before work as they are, in X-API-KEY and nowhere else, and are kept as a hash.
func importedKeys(w *world) {
	a := w.requireKey(shopKey, http.StatusOK)
	require.Contains(w, a.body, "Badminton")
	require.Equal(w, http.Header{"Content-Type": {"application/json"}, "Cache-Control": {"private"}, "Content-Length": {strconv.Itoa(len(a.body))}}, a.header)
	require.Equal(w, http.StatusOK, w.get(facilities, shopKey).status)

	digest := sha256.Sum256([]byte(shopKey))
	stored := "sha256:" + hex.EncodeToString(digest[:])
	require.Contains(w, w.stored(), stored)
	for _, other := range []string{
		strings.ToUpper(shopKey), shopKey[:31], shopKey + "0", "0" + shopKey, stored, stored[7:], w.id(shopKey),
	} {
		require.Equal(w, "credential-invalid", w.requireKey(other, http.StatusUnauthorized).problem(), other)
	}
	for _, elsewhere := range [][]string{
		{"Authorization", "Bearer " + shopKey}, {"Api-Key", shopKey}, {"Cookie", "X-API-KEY=" + shopKey},
	} {
		require.Equal(w, "credential-missing", w.send(w.url, http.MethodGet, events, shop, elsewhere...).problem())
	}
	require.Equal(w, "credential-missing", w.send(w.url, http.MethodGet, events+"?api_key="+shopKey, shop).problem())
	require.Equal(w, http.StatusOK, w.send(w.url, http.MethodGet, events, shop, "x-api-key", shopKey).status)
}

// M1: a file of CSV or JSON lines can be imported again, and one with a mistake changes nothing.
func importFile(w *world) {
	const late, weak = "c4ca4238a0b923820dcc509a6f75849b", "c4ca4238"
	write := func(name, text string) string {
		path := filepath.Join(w.TempDir(), name)
		require.NoError(w, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	terms := func() (all []keystore.Limits) {
		for r, err := range w.server.keys.All(w.Context(), keystore.Filter{Kind: keystore.KindAPIKey}) {
			require.NoError(w, err)
			all = append(all, r.Limits)
		}
		return all
	}
	before := terms()
	require.Len(w, before, 4)
	require.NoError(w, w.server.importFile(w.Context(), write("again.csv", keyFile)))
	require.Equal(w, before, terms())

	line := func(key, more string) string {
		return `{"key":"` + key + `","owner":"acme","scopes":["events:read"]` + more + "}\n"
	}
	for _, bad := range []string{line(weak, ""), line(late, `,"owner":""`), strings.ReplaceAll(line(shopKey[1:]+"f", ""), "events:read", "event:read")} {
		err := w.server.importFile(w.Context(), write("bad.jsonl", line(late, "")+bad))
		require.ErrorIs(w, err, bulk.ErrRefused)
		require.ErrorContains(w, err, "line 2: ")
		require.NotContains(w, err.Error(), late)
	}
	w.requireKey(late, http.StatusUnauthorized)

	w.pass(time.Second) // for so long a refusal is remembered
	require.NoError(w, w.server.importFile(w.Context(), write("good.jsonl", line(late, ""))))
	w.requireKey(late, http.StatusOK)
	w.issued[late] = 0

	const odd = "eccbc87e4b5ce2fe28308fd9f2a7baf3"
	w.issued[odd] = 0
	err := w.server.importFile(w.Context(), write("odd.jsonl", line(odd, `,"meta":{"services":"0"}`)))
	require.ErrorContains(w, err, `meta services is "0": want 1 to 15`)
	for _, limits := range terms() {
		require.True(w, limits.ServerOnly)
		require.Positive(w, limits.Services)
	}
}

// M2: anybody may try the Events API, and sees dummy data; with no other API, and without harm to others.
func publicTestKey(w *world) {
	a := w.requireKey(testKey, http.StatusOK)
	require.Contains(w, a.body, "Lorem Fitsum")
	require.NotContains(w, a.body, "Badminton")
	require.NotContains(w, w.requireKey(shopKey, http.StatusOK).body, "Lorem Fitsum")

	require.Equal(w, "env-refused", w.get(facilities, testKey).problem())
	for _, how := range []string{"rotate", "replace"} {
		_, refused := w.renew(how, w.id(shopKey), testKey)
		require.Equal(w, "env-refused", refused.problem())
	}
	for range 4 { // windows of misuse that would suspend a customer's key
		for _, anybody := range []from{shop, app, bot} {
			w.pass(time.Second)
			require.Equal(w, http.StatusOK, w.send(w.url, http.MethodGet, events, anybody, "X-API-KEY", testKey).status)
			require.Equal(w, "browser-refused", w.send(w.url, http.MethodGet, events, anybody, "X-API-KEY", testKey, "Origin", "https://a.example").problem())
		}
		w.pass(10 * time.Minute)
	}
	w.requireKey(testKey, http.StatusOK)
	require.NotContains(w, w.log.String(), "type=misuse")
	require.NotContains(w, w.stored(), testKey)
}

// M3: a key in two services is noticed, and suspended without notice; one that is licensed for two is not, nor is one
// service that moves about.
func oneService(w *world) {
	id := w.id(shopKey)
	use := func(key string, where ...from) {
		for _, from := range where {
			w.pass(time.Second)
			require.Equal(w, http.StatusOK, w.send(w.url, http.MethodGet, events, from, "X-API-KEY", key).status)
		}
	}
	moved := from{app.address, shop.agent}
	updated := from{shop.address, "Go-http-client/1.1"}
	for window := range 3 {
		use(resortKey, shop, app)
		use(readerKey, shop, moved, updated)
		require.Empty(w, w.notices, "window %d", window)
		use(shopKey, shop, app)
		w.pass(10*time.Minute - 7*time.Second)
	}
	require.Equal(w, "acme: Your key "+id+" is suspended: misuse. Ask your account manager.", w.notice())
	require.Equal(w, "credential-invalid", w.requireKey(shopKey, http.StatusUnauthorized).problem())
	require.Eventually(w, func() bool { return strings.Count(w.log.String(), "event.type=misuse") == 3 },
		time.Minute, time.Millisecond, "once a window, for those who run this")
	require.Contains(w, w.log.String(), "event.key_id="+id+" event.kind=api_key event.owner=acme event.reason=services event.network=198.51.100.0/24")
	r, err := w.server.keys.Lookup(w.Context(), id)
	require.NoError(w, err)
	require.Equal(w, keystore.ReasonMisuse, r.Suspended.Reason)
	require.True(w, r.Revoked.IsZero())

	use(readerKey, shop) // the customer's other product goes on
	use(resortKey, shop, app, bot)
	require.Eventually(w, func() bool { return strings.Contains(w.log.String(), "event.owner=resort event.reason=services") },
		time.Minute, time.Millisecond, "a third service is more than the licence")

	require.NoError(w, w.server.keys.Resume(w.Context(), id))
	w.requireKey(shopKey, http.StatusOK)
}

// M4: browsers are refused, whatever they show, and a key that they go on showing is suspended.
func serversOnly(w *world) {
	id := w.id(shopKey)
	for _, mark := range [][]string{{"Origin", "https://shop.example"}, {"Origin", "null"}, {"Sec-Fetch-Site", "same-origin"}, {"Sec-Fetch-Dest", "empty"}} {
		a := w.get(events, shopKey, mark...)
		require.Equal(w, http.StatusForbidden, a.status)
		require.Equal(w, "browser-refused", a.problem())
		require.NotContains(w, a.body, "Badminton")
		require.NotContains(w, a.header, "Access-Control-Allow-Origin")
	}
	require.Equal(w, http.StatusOK, w.get(events, shopKey, "Sec-Fetch-Mode", "cors").status, "Node's own fetch sends it")
	preflight := w.send(w.url, http.MethodOptions, events, shop, "Origin", "https://shop.example", "Access-Control-Request-Headers", "x-api-key")
	require.Equal(w, http.StatusMethodNotAllowed, preflight.status)
	require.NotContains(w, preflight.header, "Access-Control-Allow-Origin")

	for range 2 {
		require.Empty(w, w.notices)
		w.requireKey(shopKey, http.StatusOK)
		w.pass(10 * time.Minute)
		require.Equal(w, "browser-refused", w.get(events, shopKey, "Origin", "https://shop.example").problem())
	}
	require.Equal(w, "acme: Your key "+id+" is suspended: misuse. Ask your account manager.", w.notice())
	w.requireKey(shopKey, http.StatusUnauthorized)
	w.requireKey(readerKey, http.StatusOK)
}

// M5: the customer hears of it before; then both keys work, the old one with its end on every answer; then the new alone.
func rotation(w *world) {
	id, manager := w.id(shopKey), w.manager("imin", "accounts:manage")
	w.pass(90*24*time.Hour - time.Second)
	require.NoError(w, w.server.keys.Remind(w.Context()))
	require.Empty(w, w.notices)
	w.pass(2 * time.Second)
	for range 2 { // told once
		require.NoError(w, w.server.keys.Remind(w.Context()))
	}
	var due []string
	for len(w.notices) > 0 {
		due = append(due, <-w.notices)
	}
	require.Contains(w, due, "acme: Your key "+id+" will be rotated soon: a new one is added, and both work for 14 days.")
	require.Len(w, due, 4, "of four keys that are in use")
	a := w.requireKey(shopKey, http.StatusOK)
	require.NotContains(w, a.header, "Deprecation")
	require.NotContains(w, a.header, "Sunset")

	fresh, answer := w.renew("rotate", id, manager)
	require.Equal(w, http.StatusOK, answer.status, answer.body)
	require.Equal(w, "no-store", answer.header.Get("Cache-Control"))
	began := w.clock()
	end := began.Add(14 * 24 * time.Hour)
	require.Equal(w, renewed{ID: id, Key: fresh.Key, OldUntil: &end}, fresh)
	require.Regexp(w, keystore.ScannerRule("imin"), fresh.Key)
	require.Equal(w, "acme: Your key "+id+" was rotated. The old one works until "+end.Format(time.RFC1123)+".", w.notice())

	for range 2 {
		a = w.requireKey(shopKey, http.StatusOK)
		require.Equal(w, "@"+strconv.FormatInt(began.Unix(), 10), a.header.Get("Deprecation"))
		require.Equal(w, end.Format(http.TimeFormat), a.header.Get("Sunset"))
		a = w.requireKey(fresh.Key, http.StatusOK)
		require.NotContains(w, a.header, "Deprecation")
		require.NotContains(w, a.header, "Sunset")
		require.Equal(w, http.StatusOK, w.get(facilities, fresh.Key).status, "it may do what the old one may")
		require.Equal(w, "browser-refused", w.get(events, fresh.Key, "Origin", "https://a.example").problem(), "and no more")
		w.pass(end.Sub(w.clock()) - time.Second)
	}
	w.pass(time.Second)
	require.Equal(w, "credential-invalid", w.requireKey(shopKey, http.StatusUnauthorized).problem())
	w.requireKey(fresh.Key, http.StatusOK)
}

// M5: of two rotations one wins, and the other ends no key that is in use (T-138, T-139).
func oneAtATime(w *world) {
	id, manager := w.id(shopKey), w.manager("imin", "accounts:manage")
	var all sync.WaitGroup
	var mu sync.Mutex
	var keys []string
	statuses := map[int]int{}
	for range 4 {
		all.Go(func() {
			fresh, a := w.renew("rotate", id, manager)
			mu.Lock()
			defer mu.Unlock()
			statuses[a.status]++
			if a.status == http.StatusOK {
				keys = append(keys, fresh.Key)
			}
		})
	}
	all.Wait()
	require.Equal(w, map[int]int{http.StatusOK: 1, http.StatusConflict: 3}, statuses)
	w.pass(13 * 24 * time.Hour)
	_, a := w.renew("rotate", id, manager)
	require.Equal(w, http.StatusConflict, a.status)
	w.requireKey(shopKey, http.StatusOK)
	w.requireKey(keys[0], http.StatusOK)

	w.pass(24 * time.Hour)
	fresh, a := w.renew("rotate", id, manager)
	require.Equal(w, http.StatusOK, a.status, a.body)
	w.requireKey(shopKey, http.StatusUnauthorized)
	w.requireKey(keys[0], http.StatusOK)
	w.requireKey(fresh.Key, http.StatusOK)
}

// M6: who believes a key to be compromised has a new one at once, and the old ones are dead, an overlap or not.
func compromised(w *world) {
	id, manager := w.id(shopKey), w.manager("acme")
	first, a := w.renew("rotate", id, manager)
	require.Equal(w, http.StatusOK, a.status, a.body)
	w.requireKey(first.Key, http.StatusOK)
	w.notice()

	_, a = w.renew("replace", id, first.Key)
	require.Equal(w, http.StatusForbidden, a.status, "who stole the key cannot replace it")
	second, a := w.renew("replace", id, manager)
	require.Equal(w, http.StatusOK, a.status, a.body)
	require.Equal(w, renewed{ID: id, Key: second.Key}, second)
	require.Equal(w, "acme: Your key "+id+" was replaced. The old one has ended.", w.notice())
	w.requireKey(second.Key, http.StatusOK)
	w.requireKey(shopKey, http.StatusUnauthorized)
	w.requireKey(first.Key, http.StatusUnauthorized)
	w.pass(-time.Hour)
	w.requireKey(shopKey, http.StatusUnauthorized)
	w.requireKey(first.Key, http.StatusUnauthorized)
	w.pass(2 * time.Hour)
	w.requireKey(second.Key, http.StatusOK)

	file, _, _ := strings.Cut(keyFile, readerKey)
	require.NoError(w, w.server.importKeys(w.Context(), strings.NewReader(file), bulk.CSV))
	w.requireKey(shopKey, http.StatusUnauthorized) // also after another import from the file of old
}

// Every bad credential is answered with the same bytes, and every route asks for one.
func unauthorized(w *world) {
	authtest.Guarded(w, w.server.routes, "GET "+events, "GET "+facilities, "POST /keys/{id}/rotate", "POST /keys/{id}/replace")
	manager := w.manager("imin", "accounts:manage")
	spec := keystore.Spec{Owner: "acme", Scopes: []scopes.Scope{"events:read"}}
	revoked, suspended := w.issue(spec), w.issue(spec)
	require.NoError(w, w.server.keys.Revoke(w.Context(), w.id(revoked), keystore.ReasonRequested))
	require.NoError(w, w.server.keys.Suspend(w.Context(), w.id(suspended), keystore.ReasonRequested))
	_, a := w.renew("replace", w.id(shopKey), manager)
	require.Equal(w, http.StatusOK, a.status)
	w.requireKey(endedKey, http.StatusOK)
	w.pass(time.Hour)

	want := w.requireKey("ffffffffffffffffffffffffffffffff", http.StatusUnauthorized)
	require.Equal(w, `Bearer realm="imin", error="invalid_token"`, want.header.Get("WWW-Authenticate"))
	require.Equal(w, "no-store", want.header.Get("Cache-Control"))
	for desc, bad := range map[string]string{
		"revoked": revoked, "suspended": suspended, "expired": endedKey, "replaced": shopKey,
		"mistyped": manager[:len(manager)-1] + "!", "another's": keystore.ExampleCredential, "no key at all": "x",
		"a JWT": "eyJhbGciOiJub25lIn0.e30.x", "long": strings.Repeat("a", 5000),
	} {
		require.Equal(w, want, w.get(events, bad), desc)
		require.Equal(w, want, w.get(facilities, bad), desc)
	}
	none := w.send(w.url, http.MethodGet, events, shop)
	require.Equal(w, `Bearer realm="imin"`, none.header.Get("WWW-Authenticate"))
}

// A key that may not do something is told what it lacks; one that comes in clear is refused.
func forbidden(w *world) {
	a := w.get(facilities, readerKey)
	require.Equal(w, http.StatusForbidden, a.status)
	require.Equal(w, "scope-missing", a.problem())
	require.Contains(w, a.body, `"scopes":["facilities:read"]`)
	require.Equal(w, `Bearer realm="imin", error="insufficient_scope", scope="facilities:read"`, a.header.Get("WWW-Authenticate"))
	_, a = w.renew("rotate", w.id(readerKey), readerKey)
	require.Contains(w, a.body, `"scopes":["keys:manage"]`)
	require.Equal(w, "https-required", w.get(events, shopKey, "X-Forwarded-Proto", "http").problem())
	require.Contains(w, w.log.String(), "decision.outcome=scope-missing")
}

// What happens in one process counts in every other within five seconds.
func otherProcess(w *world) {
	id, manager := w.id(shopKey), w.manager("imin", "accounts:manage")
	_, other := w.start()
	there := func(key string) int {
		return w.send(other, http.MethodGet, events, shop, "X-API-KEY", key).status
	}
	require.Equal(w, http.StatusOK, there(shopKey))
	require.Equal(w, http.StatusOK, there(readerKey))
	fresh, a := w.renew("replace", id, manager)
	require.Equal(w, http.StatusOK, a.status)
	require.NoError(w, w.server.keys.Revoke(w.Context(), w.id(readerKey), keystore.ReasonRequested))
	w.pass(time.Millisecond)
	require.Equal(w, http.StatusOK, there(fresh.Key), "who was given a new key can use it at once")
	w.pass(5 * time.Second)
	require.Equal(w, http.StatusUnauthorized, there(shopKey))
	require.Equal(w, http.StatusUnauthorized, there(readerKey))
}

// T-103: who manages keys manages those of his account; of others he learns nothing.
func whoseKey(w *world) {
	acme, resort, imin := w.manager("acme"), w.manager("resort"), w.manager("imin", "accounts:manage")
	id, digest := w.id(shopKey), sha256.Sum256([]byte(shopKey))
	for _, how := range []string{"rotate", "replace"} {
		_, none := w.renew(how, "000000000000", resort)
		require.Equal(w, http.StatusNotFound, none.status)
		for desc, foreign := range map[string]string{
			"another account's": id, "what stands for its text": keystore.AliasID(digest), "imin's own": w.id(imin), "no id": "%00", "a path": "..%2F" + id,
		} {
			_, a := w.renew(how, foreign, resort)
			require.Equal(w, none, a, desc)
		}
		_, a := w.renew(how, keystore.AliasID(digest), imin)
		require.Equal(w, none, a, "which is no key, for anybody")
	}
	w.requireKey(shopKey, http.StatusOK)
	require.Empty(w, w.notices)

	for _, manager := range []string{acme, imin} {
		_, a := w.renew("replace", id, manager)
		require.Equal(w, http.StatusOK, a.status, a.body)
		require.Contains(w, w.log.String(), `event.actor="Manager `+w.id(manager)+`"`)
	}
	require.NoError(w, w.server.keys.Revoke(w.Context(), id, keystore.ReasonRequested))
	_, a := w.renew("rotate", id, acme)
	require.Equal(w, http.StatusConflict, a.status)
	require.Equal(w, "the key has ended, and stays so: issue a new one\n", a.body)
}
