package keystore_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/scopes"
)

// licensed is for a key that one service may use.
var licensed = keystore.Spec{Owner: "acme", Scopes: []scopes.Scope{"claims:read"}, Limits: keystore.Limits{Services: 1}}

// bed is Keys with a clock of its own, inside of synctest.
type bed struct {
	*keystore.Keys
	t     *testing.T
	store *metered
	told  events
}

func inBed(t *testing.T, config keystore.Config, test func(t *testing.T, b *bed)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bed{t: t, store: &metered{stub: newStub()}}
		config.OnEvent, config.RemindInterval = b.told.hear, -1
		b.Keys = openKeys(t, b.store, config)
		test(t, b)
	})
}

// use is an admitted request, and time until the next one is looked at.
func (b *bed) use(text, remote, agent string) {
	b.t.Helper()
	p := requireAccepted(b.t, b.Keys, text)
	a := access("claims:read")
	require.NoError(b.t, admit(b.t, b.Keys, p, &a))
	p.Trace(func() (netip.Addr, string) { return netip.MustParseAddr(remote), agent })
	time.Sleep(100 * time.Millisecond)
}

// signs are the events of misuse told since the last call.
func (b *bed) signs() (signs []string) {
	synctest.Wait()
	for _, e := range b.told.take() {
		switch e.Type {
		case keystore.EventMisuse, keystore.EventExposed:
			signs = append(signs, fmt.Sprint(e.Type, " ", e.Reason, " ", e.Network))
		}
	}
	return signs
}

func (b *bed) suspended(id string) keystore.Mark {
	b.t.Helper()
	synctest.Wait()
	r, err := b.Lookup(b.t.Context(), id)
	require.NoError(b.t, err)
	return r.Suspended
}

func TestM3_TwoServicesAreToldOf(t *testing.T) {
	t.Parallel()
	inBed(t, keystore.Config{}, func(t *testing.T, b *bed) {
		id, text := issue(t, b.Keys, licensed)
		b.use(text, "192.0.2.1", "python-requests/2.31")
		require.Empty(t, b.signs())
		b.use(text, "198.51.100.1", "Go-http-client/1.1")
		require.Equal(t, []string{"misuse services 198.51.100.0/24"}, b.signs())
		b.use(text, "203.0.113.1", "curl/8")
		require.Empty(t, b.signs(), "once in a window")
		time.Sleep(10 * time.Minute)
		b.use(text, "198.51.100.1", "Go-http-client/1.1")
		b.use(text, "192.0.2.1", "python-requests/2.32")
		require.Equal(t, []string{"misuse services 192.0.2.0/24"}, b.signs(), "and in each")
		require.Zero(t, b.suspended(id), "told, and no more")
	})
}

// What looks like misuse and is none, and what a licence allows.
func TestM3_FalseAlarms(t *testing.T) {
	t.Parallel()
	type use struct{ remote, agent string }
	var scaled []use
	for n := range 20 {
		scaled = append(scaled, use{fmt.Sprintf("10.0.%d.1", n), "acme"})
	}
	scaled = append(scaled, use{"10.0.19.1", "curl"})
	for _, tt := range []struct {
		desc     string
		services int
		uses     []use
	}{
		{"a service behind NAT, with several clients", 1, []use{{"192.0.2.1", "python-requests/2.31"}, {"192.0.2.1", "curl/8"}, {"192.0.2.1", "acme-batch/3"}}},
		{"a deploy that changes User-Agent", 1, []use{{"192.0.2.1", "acme/1.0"}, {"192.0.2.1", "acme-importer/2.0"}}},
		{"a deploy that changes the version", 1, []use{{"192.0.2.1", "acme/1.0"}, {"198.51.100.1", "acme/2.0"}}},
		{"a deploy that is rolled out over several hosts", 1, []use{
			{"192.0.2.1", "old"}, {"198.51.100.1", "old"}, {"192.0.2.1", "new"}, {"198.51.100.1", "new"},
		}},
		{"IPv6 privacy addresses", 1, []use{
			{"2001:db8:1:2:a:b:c:d", "acme"}, {"2001:db8:1:2:e:f:1:2", "acme"}, {"2001:db8:1:2:3:4:5:6", "curl"},
		}},
		{"IPv4 and IPv6", 1, []use{{"192.0.2.1", "acme"}, {"2001:db8::1", "acme"}, {"::ffff:192.0.2.1", "curl"}}},
		{"several ways out", 1, []use{{"192.0.2.1", "acme"}, {"198.51.100.1", "acme"}, {"203.0.113.1", "acme"}, {"203.0.113.9", "health-check"}}},
		{"autoscaling beyond what is kept", 1, scaled},
		{"a client without a name", 1, []use{{"192.0.2.1", ""}, {"198.51.100.1", ""}, {"198.51.100.1", "(x)"}}},
		{"a licence for two", 2, []use{{"192.0.2.1", "one"}, {"198.51.100.1", "two"}}},
		{"no licence", 0, []use{{"192.0.2.1", "one"}, {"198.51.100.1", "two"}, {"203.0.113.1", "three"}}},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			t.Parallel()
			inBed(t, keystore.Config{}, func(t *testing.T, b *bed) {
				spec := licensed
				spec.Limits.Services = tt.services
				_, text := issue(t, b.Keys, spec)
				for range 3 {
					for _, u := range tt.uses {
						b.use(text, u.remote, u.agent)
					}
					time.Sleep(10 * time.Minute)
				}
				require.Empty(t, b.signs())
			})
		})
	}
}

// A service that moves to other hosts with another client looks like two, in that window: not for long enough to be
// suspended.
func TestM3_MoveIsNotSuspended(t *testing.T) {
	t.Parallel()
	inBed(t, keystore.Config{Misuse: keystore.MisusePolicy{SuspendServices: true}}, func(t *testing.T, b *bed) {
		id, text := issue(t, b.Keys, licensed)
		for n := range 60 {
			if n < 30 {
				b.use(text, "192.0.2.1", "old")
			} else {
				b.use(text, "198.51.100.1", "new")
			}
			time.Sleep(time.Minute)
		}
		require.LessOrEqual(t, len(b.signs()), 1)
		require.Zero(t, b.suspended(id))
	})
}

// M3: a key that stays in use by several services is suspended, by name of the policy; resumed, it gets its time again.
func TestM3_Suspends(t *testing.T) {
	t.Parallel()
	inBed(t, keystore.Config{Misuse: keystore.MisusePolicy{SuspendServices: true, Window: time.Minute, Windows: 2}}, func(t *testing.T, b *bed) {
		id, text := issue(t, b.Keys, licensed)
		_, other := issue(t, b.Keys, licensed)
		time.Sleep(time.Until(time.Now().Truncate(time.Minute).Add(time.Minute)))
		share := func() {
			b.use(text, "192.0.2.1", "one")
			b.use(text, "198.51.100.1", "two")
			b.use(other, "192.0.2.1", "one")
		}
		for range 2 {
			share()
			require.Equal(t, []string{"misuse services 198.51.100.0/24"}, b.signs())
			require.Zero(t, b.suspended(id))
			time.Sleep(2 * time.Minute) // not one after the other
		}
		share()
		require.Zero(t, b.suspended(id))
		time.Sleep(time.Minute)
		for range 3 {
			share()
			mark := b.suspended(id)
			require.Equal(t, keystore.ReasonMisuse, mark.Reason)
			require.Equal(t, "misuse policy", mark.By)
			requireRefused(t, b.Keys, text, keystore.OutcomeSuspended)
			b.use(other, "192.0.2.1", "one")

			require.NoError(t, b.Resume(t.Context(), id))
			for range 2 {
				share()
				require.Zero(t, b.suspended(id), "who resumed it has looked into it")
				time.Sleep(time.Minute)
			}
		}
	})
}

// Whatever somebody sends who has not the secret, and whatever is refused to somebody who has, is no use of the key.
func TestM3_StrangersCannotHaveAKeySuspended(t *testing.T) {
	t.Parallel()
	policy := keystore.MisusePolicy{SuspendServices: true, SuspendBrowser: true, SuspendExposed: true, Windows: 2}
	inBed(t, keystore.Config{Misuse: policy, AcceptForeign: true}, func(t *testing.T, b *bed) {
		spec := licensed
		spec.Limits.ServerOnly = true
		id, text := issue(t, b.Keys, spec)
		wrong := must(b.Issue(t.Context(), spec)).Credential.Reveal()
		forged := text[:len("sk_live_")+12] + wrong[len("sk_live_")+12:]
		for range 20 {
			b.use(text, "192.0.2.1", "one")
			for _, guess := range []string{forged, id, text[:len(text)-1], keystore.ExampleCredential, "sha256:" + id} {
				p, err := b.Verify(t.Context(), guess)
				require.Error(t, err)
				for _, a := range []keystore.Access{{}, {Secure: true, Browser: true}} {
					requireOutcome(t, admit(b.t, b.Keys, p, &a), keystore.OutcomeMissing)
				}
				p.Trace(func() (netip.Addr, string) { return netip.MustParseAddr("198.51.100.1"), "two" })
			}
			time.Sleep(5 * time.Minute)
		}
		require.Empty(t, b.signs())
		require.Zero(t, b.suspended(id))
	})
}

// Who was given a token, and no key, gets nobody suspended.
func TestMisuse_TokensAreToldOfAlone(t *testing.T) {
	t.Parallel()
	inBed(t, keystore.Config{Misuse: keystore.MisusePolicy{SuspendBrowser: true, SuspendExposed: true, SuspendServices: true}}, func(t *testing.T, b *bed) {
		spec := keystore.Spec{Owner: "acme", Scopes: []scopes.Scope{"claims:read"}, Limits: keystore.Limits{ServerOnly: true, Services: 1}}
		id, _ := issue(t, b.Keys, spec)
		put(t, b.store.stub, "session", id, func(r *keystore.Record) { r.Scopes = scopes.MustSet("claims:read") })
		a := access("claims:read")
		a.Browser = true
		for range 5 {
			s, err := b.Principal(t.Context(), "session")
			require.NoError(t, err)
			requireOutcome(t, admit(b.t, b.Keys, s, &a), keystore.OutcomeBrowserRefused)
			requireOutcome(t, admit(b.t, b.Keys, s, &keystore.Access{}), keystore.OutcomeHTTPSRequired)
			time.Sleep(10 * time.Minute)
			require.Contains(t, b.signs(), "misuse browser 192.0.2.0/24")
		}
		require.Zero(t, b.suspended(id))
	})
}

// M4: what a browser sends is refused; who goes on is suspended.
func TestM4_Browser(t *testing.T) {
	t.Parallel()
	inBed(t, keystore.Config{Misuse: keystore.MisusePolicy{SuspendBrowser: true}}, func(t *testing.T, b *bed) {
		spec := keystore.Spec{Owner: "acme", Scopes: []scopes.Scope{"claims:read"}, Limits: keystore.Limits{ServerOnly: true}}
		id, text := issue(t, b.Keys, spec)
		put(t, b.store.stub, "session", id, func(r *keystore.Record) { r.Scopes = scopes.MustSet("claims:read") })
		a := access("claims:read")
		a.Browser = true
		for n := range 3 {
			require.Zero(t, b.suspended(id), n)
			p, err := b.Verify(t.Context(), text)
			require.NoError(t, err)
			s, err := b.Principal(t.Context(), "session")
			require.NoError(t, err)
			for range 3 {
				requireOutcome(t, admit(b.t, b.Keys, p, &a), keystore.OutcomeBrowserRefused)
				requireOutcome(t, admit(b.t, b.Keys, s, &a), keystore.OutcomeBrowserRefused)
			}
			time.Sleep(10 * time.Minute)
			require.Equal(t, []string{"misuse browser 192.0.2.0/24"}, b.signs(), "the session's key refuses, and once")
		}
		require.Equal(t, keystore.ReasonMisuse, b.suspended(id).Reason)
	})
}

// T-051: a key in clear is told of at once; and suspended, as somebody else may hold it, if it stays so.
func TestT051_Exposed(t *testing.T) {
	t.Parallel()
	inBed(t, keystore.Config{Misuse: keystore.MisusePolicy{SuspendExposed: true, Windows: 4, Window: time.Hour}}, func(t *testing.T, b *bed) {
		id, text := issue(t, b.Keys, spec)
		put(t, b.store.stub, "session", id, func(r *keystore.Record) { r.Scopes = scopes.MustSet("claims:read") })
		inClear := &keystore.Access{Remote: netip.MustParseAddr("192.0.2.1")}
		for range 4 {
			require.Zero(t, b.suspended(id))
			p := requireAccepted(t, b.Keys, text)
			for range 3 {
				requireOutcome(t, admit(b.t, b.Keys, p, inClear), keystore.OutcomeHTTPSRequired)
			}
			require.Equal(t, []string{"credential_exposed  192.0.2.0/24"}, b.signs())
			time.Sleep(time.Hour)
		}
		require.Equal(t, keystore.ReasonCompromised, b.suspended(id).Reason)

		require.NoError(t, b.Resume(t.Context(), id))
		s, err := b.Principal(t.Context(), "session")
		require.NoError(t, err)
		requireOutcome(t, admit(b.t, b.Keys, s, &keystore.Access{}), keystore.OutcomeHTTPSRequired)
		synctest.Wait()
		told := b.told.take()
		e := told[len(told)-1]
		require.Equal(t, "session", e.KeyID, "of a token, its session is exposed and not its key")
		require.Equal(t, keystore.KindSession, e.Kind)
		require.Zero(t, e.Network)
	})
}

// Without a policy everything is told, and nothing suspended, however long it lasts.
func TestMisuse_ReportOnlyByDefault(t *testing.T) {
	t.Parallel()
	inBed(t, keystore.Config{}, func(t *testing.T, b *bed) {
		spec := licensed
		spec.Limits.ServerOnly = true
		id, text := issue(t, b.Keys, spec)
		writes := b.store.writes.Load()
		for range 20 {
			b.use(text, "192.0.2.1", "one")
			b.use(text, "198.51.100.1", "two")
			p, a := requireAccepted(t, b.Keys, text), access("claims:read")
			a.Browser = true
			require.Error(t, admit(b.t, b.Keys, p, &a))
			require.Error(t, admit(b.t, b.Keys, p, &keystore.Access{}))
			require.Len(t, b.signs(), 3)
			time.Sleep(10*time.Minute - 200*time.Millisecond)
		}
		require.Zero(t, b.suspended(id))
		require.Equal(t, writes, b.store.writes.Load())
	})
}

// T-130: what slog writes of each sign, and of what a policy does about it.
func TestT130_GoldenMisuse(t *testing.T) {
	t.Parallel()
	inBed(t, keystore.Config{Misuse: keystore.MisusePolicy{SuspendServices: true, SuspendBrowser: true, SuspendExposed: true, Windows: 2}}, func(t *testing.T, b *bed) {
		spec := licensed
		spec.Limits.ServerOnly = true
		shared, sharedText := issue(t, b.Keys, spec)
		browsed, browsedText := issue(t, b.Keys, spec)
		exposed, exposedText := issue(t, b.Keys, spec)
		b.told.take()
		var lines bytes.Buffer
		log := slog.New(slog.NewTextHandler(&lines, &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && a.Key != "event" {
				return slog.Attr{}
			}
			return a
		}}))
		next := func() {
			time.Sleep(time.Until(time.Now().Truncate(10 * time.Minute).Add(10 * time.Minute)))
			told := b.told.take()
			// Signs and suspensions are told by two goroutines.
			slices.SortStableFunc(told, func(x, y keystore.Event) int { return cmp.Compare(x.Type, y.Type) })
			for _, e := range told {
				log.Info("", "event", e)
			}
		}
		for range 2 {
			from := func(text, remote string) (*keystore.Principal, *keystore.Access) {
				a := access("claims:read")
				a.Remote = netip.MustParseAddr(remote)
				return requireAccepted(t, b.Keys, text), &a
			}
			p, a := from(browsedText, "2001:db8::1")
			a.Browser = true
			require.Error(t, admit(b.t, b.Keys, p, a))
			p, a = from(exposedText, "203.0.113.1")
			a.Secure = false
			require.Error(t, admit(b.t, b.Keys, p, a))
			b.use(sharedText, "192.0.2.1", "one")
			b.use(sharedText, "198.51.100.1", "two")
			next()
		}
		golden := `
event.type=credential_exposed event.time=2000-01-01T00:00:00.000Z event.key_id=EXPOSED event.kind=api_key event.owner=acme event.network=203.0.113.0/24
event.type=misuse event.time=2000-01-01T00:00:00.000Z event.key_id=BROWSED event.kind=api_key event.owner=acme event.reason=browser event.network=2001:db8::/48
event.type=misuse event.time=2000-01-01T00:00:00.100Z event.key_id=SHARED event.kind=api_key event.owner=acme event.reason=services event.network=198.51.100.0/24
event.type=credential_exposed event.time=2000-01-01T00:10:00.000Z event.key_id=EXPOSED event.kind=api_key event.owner=acme event.network=203.0.113.0/24
event.type=misuse event.time=2000-01-01T00:10:00.000Z event.key_id=BROWSED event.kind=api_key event.owner=acme event.reason=browser event.network=2001:db8::/48
event.type=misuse event.time=2000-01-01T00:10:00.100Z event.key_id=SHARED event.kind=api_key event.owner=acme event.reason=services event.network=198.51.100.0/24
event.type=suspended event.time=2000-01-01T00:10:00.000Z event.key_id=BROWSED event.kind=api_key event.owner=acme event.actor="misuse policy" event.reason=misuse
event.type=suspended event.time=2000-01-01T00:10:00.000Z event.key_id=EXPOSED event.kind=api_key event.owner=acme event.actor="misuse policy" event.reason=compromised
event.type=suspended event.time=2000-01-01T00:10:00.100Z event.key_id=SHARED event.kind=api_key event.owner=acme event.actor="misuse policy" event.reason=misuse
`
		names := strings.NewReplacer("EXPOSED", exposed, "BROWSED", browsed, "SHARED", shared)
		require.Equal(t, strings.TrimPrefix(names.Replace(golden), "\n"), lines.String())
	})
}

// VC9: a request waits neither for the store that suspends nor for a hook; what fails is told, and tried again.
func TestMisuse_SuspendsInTheBackground(t *testing.T) {
	t.Parallel()
	inBed(t, keystore.Config{Misuse: keystore.MisusePolicy{SuspendExposed: true, Windows: 2}}, func(t *testing.T, b *bed) {
		id, text := issue(t, b.Keys, spec)
		var tried atomic.Int64
		expose := func() {
			start := time.Now()
			require.Error(t, admit(b.t, b.Keys, requireAccepted(t, b.Keys, text), &keystore.Access{}))
			require.Zero(t, time.Since(start))
		}
		for _, hook := range []writeHook{
			func(ctx context.Context, _, _ string, _ func() error) error {
				tried.Add(1)
				<-ctx.Done()
				return ctx.Err()
			},
			func(context.Context, string, string, func() error) error { tried.Add(1); return errDown },
			func(context.Context, string, string, func() error) error { tried.Add(1); panic("nil map") },
		} {
			b.store.bendWrites(hook)
			expose()
			time.Sleep(10 * time.Minute)
		}
		require.EqualValues(t, 2, tried.Load(), "in the second window and in the third")
		for _, fault := range b.told.faults() {
			require.Contains(t, fault, "keystore: suspending "+id+" for misuse: keystore: cannot answer")
		}
		require.Len(t, b.told.faults(), 2)
		b.store.bendWrites(nil)
		expose()
		require.Equal(t, keystore.ReasonCompromised, b.suspended(id).Reason)
		require.Len(t, b.told.faults(), 2)
	})
}

// Somebody may revoke or delete a key that is about to be suspended.
func TestMisuse_KeyIsGoneMeanwhile(t *testing.T) {
	t.Parallel()
	for desc, end := range map[string]func(context.Context, *stub, string) error{
		"revoked": func(ctx context.Context, s *stub, id string) error {
			r, err := s.memory.Lookup(ctx, id)
			r.Revoked.At = time.Now()
			return errors.Join(err, s.memory.Update(ctx, r))
		},
		"deleted": func(ctx context.Context, s *stub, id string) error { return s.memory.Delete(ctx, id, 0) },
	} {
		t.Run(desc, func(t *testing.T) {
			t.Parallel()
			inBed(t, keystore.Config{MaxStaleness: time.Hour, Misuse: keystore.MisusePolicy{SuspendExposed: true, Windows: 2}}, func(t *testing.T, b *bed) {
				id, text := issue(t, b.Keys, spec)
				requireAccepted(t, b.Keys, text)
				require.NoError(t, end(t.Context(), b.store.stub, id))
				for range 2 {
					p, err := b.Verify(t.Context(), text) // stale still
					require.NoError(t, err)
					require.Error(t, admit(b.t, b.Keys, p, &keystore.Access{}))
					time.Sleep(10 * time.Minute)
				}
				require.Len(t, b.signs(), 2)
				require.Empty(t, b.told.faults())
			})
		})
	}
}

// What other Keys or nobody made is nobody's to follow here.
func TestTrace_OfOthers(t *testing.T) {
	t.Parallel()
	inBed(t, keystore.Config{}, func(t *testing.T, b *bed) {
		asked := func() (netip.Addr, string) { t.Error("asked"); return netip.Addr{}, "" }
		for _, p := range []*keystore.Principal{nil, {}, keystore.NewPrincipal(limited(keystore.Limits{Services: 1}))} {
			p.Trace(asked)
		}
		p := keystore.NewPrincipal(limited(keystore.Limits{ServerOnly: true}))
		require.Error(t, admit(b.t, b.Keys, p, &keystore.Access{}))
		a := access("claims:read")
		a.Browser = true
		require.Error(t, admit(b.t, b.Keys, p, &a))
		require.Empty(t, b.signs())
	})
}

// Of a key in constant use 16 requests a second are looked at; where nobody wants to know, none.
func TestTrace_AsksSeldom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		plain, counting := newStub(), &metered{stub: newStub()}
		for _, tt := range []struct {
			store keystore.KeyStore
			spec  keystore.Spec
			want  int
		}{
			{counting, spec, 160},
			{plain, licensed, 160},
			{plain, spec, 0},
		} {
			keys := openKeys(t, tt.store, keystore.Config{MaxStaleness: time.Hour})
			_, text := issue(t, keys, tt.spec)
			asked := 0
			for range 10_000 {
				requireAccepted(t, keys, text).Trace(func() (netip.Addr, string) {
					asked++
					return netip.MustParseAddr("192.0.2.1"), "one"
				})
				time.Sleep(time.Millisecond)
			}
			require.InDelta(t, tt.want, asked, 1)
		}
	})
}

// Usage tells from where each secret was used last.
func TestUsage_Network(t *testing.T) {
	t.Parallel()
	inBed(t, keystore.Config{}, func(t *testing.T, b *bed) {
		issued := must(b.Issue(t.Context(), spec))
		id, old := issued.Record.ID, issued.Credential.Reveal()
		b.use(old, "192.0.2.1", "one")
		renewed := must(b.Rotate(t.Context(), id, issued.Record.Version, time.Hour)).Credential.Reveal()
		b.use(renewed, "198.51.100.1", "one")
		time.Sleep(time.Minute)
		b.use(renewed, "2001:db8::1", "one")
		networks := map[uint32]string{}
		for _, u := range must(b.Usage(t.Context(), id)) {
			networks[u.Secret] = u.Network.String()
		}
		require.Equal(t, map[uint32]string{1: "192.0.2.0/24", 2: "2001:db8::/48"}, networks)

		// Not known is not known: a proxy that names nobody.
		p, a := requireAccepted(t, b.Keys, old), access("claims:read")
		require.NoError(t, admit(b.t, b.Keys, p, &a))
		p.Trace(func() (netip.Addr, string) { return netip.Addr{}, "two" })
		for _, u := range must(b.Usage(t.Context(), id)) {
			if u.Secret == 1 {
				require.EqualValues(t, 2, u.Count)
				require.Zero(t, u.Network)
			}
		}
	})
}

func TestMisusePolicy_IsChecked(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		desc   string
		store  keystore.KeyStore
		policy keystore.MisusePolicy
		want   string
	}{
		{"window too short", newStub(), keystore.MisusePolicy{Window: time.Second}, "Config.Misuse.Window is 1s: want 1m to 24h"},
		{"window too long", newStub(), keystore.MisusePolicy{Window: 25 * time.Hour}, "Misuse.Window"},
		{"no whole seconds", newStub(), keystore.MisusePolicy{Window: time.Minute + 1}, "in whole seconds"},
		{"negative window", newStub(), keystore.MisusePolicy{Window: -time.Hour}, "Misuse.Window"},
		{"one window", newStub(), keystore.MisusePolicy{Windows: 1}, "Config.Misuse.Windows is 1: want 2 to 1,000"},
		{"too many windows", newStub(), keystore.MisusePolicy{Windows: 1001}, "Misuse.Windows"},
		{"services, read-only", readOnly{newStub()}, keystore.MisusePolicy{SuspendServices: true}, "the store is read-only"},
		{"browser, read-only", readOnly{newStub()}, keystore.MisusePolicy{SuspendBrowser: true}, "the store is read-only"},
		{"exposed, read-only", readOnly{newStub()}, keystore.MisusePolicy{SuspendExposed: true}, "the store is read-only"},
	} {
		_, err := keystore.New(tt.store, keystore.Config{Misuse: tt.policy})
		var mistake *keystore.ConfigError
		require.ErrorAs(t, err, &mistake, tt.desc)
		require.ErrorContains(t, err, tt.want, tt.desc)
	}
	openKeys(t, readOnly{newStub()}, keystore.Config{Misuse: keystore.MisusePolicy{Window: 24 * time.Hour, Windows: 1000}})
}
