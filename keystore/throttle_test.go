package keystore_test

import (
	"context"
	"fmt"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
)

// remote is a client whose address is known for certain.
func remote(ip string) func() (netip.Addr, bool) {
	return func() (netip.Addr, bool) { return netip.MustParseAddr(ip), true }
}

const (
	office   = "192.0.2.7"
	stranger = "198.51.100.7"
)

// guess presents different wrong credentials, and returns what became of them, in order and each sort once.
func guess(t testing.TB, keys *keystore.Keys, from, to int, where func() (netip.Addr, bool)) (outcomes []keystore.Outcome) {
	t.Helper()
	for n := from; n < to; n++ {
		_, err := keys.VerifyFrom(t.Context(), nobodys(t, 2*n+1), where)
		if o := outcome(err); len(outcomes) == 0 || outcomes[len(outcomes)-1] != o {
			outcomes = append(outcomes, o)
		}
	}
	return outcomes
}

var (
	unknown   = []keystore.Outcome{keystore.OutcomeUnknown}
	throttled = []keystore.Outcome{keystore.OutcomeThrottled}
	both      = []keystore.Outcome{keystore.OutcomeUnknown, keystore.OutcomeThrottled}
)

// T-024: a network may be wrong a hundred times; then ten Lookups a second remain to it, and nobody else notices.
// T-025: a valid key is not locked out by that, wherever it comes from.
func TestThrottle_T024_T025_Network(t *testing.T) {
	t.Parallel()
	store, clock, heard := newStub(), newClock(), new(events)
	keys := openKeys(t, store, keystore.Config{Now: clock.Now, OnEvent: heard.hear, RemindInterval: -1})
	_, warm := issue(t, keys, spec)
	coldID, cold := issue(t, keys, spec)
	wrong := reform(t, cold[:len("sk_live_")+len(coldID)+1]+fmt.Sprintf("%043d", 0))
	_, err := keys.VerifyFrom(t.Context(), warm, remote(stranger))
	require.NoError(t, err)

	require.Equal(t, unknown, guess(t, keys, 0, 99, remote(stranger)))
	_, err = keys.VerifyFrom(t.Context(), wrong, remote(stranger))
	requireOutcome(t, err, keystore.OutcomeWrongSecret)
	lookups := store.lookups.Load()
	require.Equal(t, both, guess(t, keys, 1000, 2000, remote(stranger)))
	require.LessOrEqual(t, store.lookups.Load()-lookups, int64(10), "those of one second")

	_, err = keys.VerifyFrom(t.Context(), warm, remote(stranger))
	require.NoError(t, err, "what is remembered passes")
	_, err = keys.VerifyFrom(t.Context(), cold, remote(stranger))
	require.Equal(t, &keystore.RefusedError{Outcome: keystore.OutcomeThrottled, KeyID: coldID, RetryAfter: 100 * time.Millisecond}, err)
	requireThrottledNot(t, keys, cold, remote(office))
	requireThrottledNot(t, keys, cold, nil) // nobody knows from where
	_, another := issue(t, keys, spec)
	_, err = keys.VerifyFrom(t.Context(), another, remote(stranger))
	requireOutcome(t, err, keystore.OutcomeThrottled)
	clock.move(100 * time.Millisecond)
	requireThrottledNot(t, keys, another, remote(stranger)) // delayed, and no more
	requireThrottledNot(t, keys, another, remote(stranger))

	clock.move(10*time.Minute + time.Second)
	require.Equal(t, unknown, guess(t, keys, 3000, 3100, remote(stranger)), "all is forgotten")
	require.NoError(t, keys.Close())
	var told []keystore.Event
	for _, e := range heard.all() {
		if e.Type == keystore.EventThrottled {
			told = append(told, e)
		}
	}
	require.Len(t, told, 2, "once in ten minutes")
	require.Equal(t, "198.51.100.7/32", told[0].Network.String())
	require.EqualError(t, told[0].Err, "keystore: 100 different wrong credentials came from this network within 10m0s")
	require.Empty(t, told[0].KeyID)
}

func requireThrottledNot(t testing.TB, keys *keystore.Keys, text string, where func() (netip.Addr, bool)) {
	t.Helper()
	p, err := keys.VerifyFrom(t.Context(), text, where)
	require.NoError(t, err)
	require.NotNil(t, p)
}

// T-025: what is no guess counts nothing, however often it comes: one stale cron must not block an office.
func TestThrottle_T025_NoGuesses(t *testing.T) {
	t.Parallel()
	store, clock := newStub(), newClock()
	keys := openKeys(t, store, keystore.Config{Now: clock.Now, AcceptForeign: true, Throttle: keystore.Throttle{Credentials: 2}})
	expiring := spec
	expiring.Expires = clock.Now().Add(time.Minute)
	_, expired := issue(t, keys, expiring)
	suspendedID, suspended := issue(t, keys, spec)
	revokedID, revoked := issue(t, keys, spec)
	deletedID, deleted := issue(t, keys, spec)
	requireAccepted(t, keys, deleted)
	require.NoError(t, keys.Suspend(t.Context(), suspendedID, ""))
	require.NoError(t, keys.Revoke(t.Context(), revokedID, ""))
	require.NoError(t, keys.Delete(t.Context(), deletedID))
	clock.move(time.Hour)
	for range 200 {
		for _, text := range []string{
			"", "nothing like a key", "eyJ.a.b", expired, suspended, revoked, // and one and only one that is wrong:
			deleted,
		} {
			_, err := keys.VerifyFrom(t.Context(), text, remote(office))
			require.Error(t, err)
			require.NotEqual(t, keystore.OutcomeThrottled, outcome(err), text)
		}
		clock.move(time.Minute)
	}
	store.bend(func(_ context.Context, _ string, _ func() (keystore.Record, error)) (keystore.Record, error) {
		return keystore.Record{}, errDown
	})
	require.Equal(t, []keystore.Outcome{""}, guess(t, keys, 0, 100, remote(office)), "no answer is no guess")
	store.bend(nil)
	require.Equal(t, both, guess(t, keys, 0, 20, remote(office)))
}

// Which addresses count together.
func TestThrottle_Networks(t *testing.T) {
	t.Parallel()
	nowhere := func() (netip.Addr, bool) { return netip.Addr{}, true }
	for _, tt := range []struct {
		desc     string
		one, two func() (netip.Addr, bool)
		together bool
	}{
		{"an address", remote(office), remote(office), true},
		{"the next one", remote("192.0.2.7"), remote("192.0.2.8"), false},
		{"IPv4 in IPv6", remote(office), remote("::ffff:192.0.2.7"), true},
		{"a /64", remote("2001:db8:0:1::1"), remote("2001:db8:0:1:ffff:ffff:ffff:ffff"), true},
		{"another /64", remote("2001:db8:0:1::1"), remote("2001:db8:0:2::1"), false},
		{"zones", remote("fe80::1%eth0"), remote("fe80::2%eth1"), true},
		{"nobody", nowhere, nowhere, false},
		{"no function", nil, nil, false},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			t.Parallel()
			clock := newClock()
			keys := openKeys(t, newStub(), keystore.Config{Now: clock.Now, Throttle: keystore.Throttle{Credentials: 5}})
			guess(t, keys, 0, 50, tt.one)
			want := unknown
			if tt.together {
				want = throttled
			}
			require.Equal(t, want, guess(t, keys, 100, 105, tt.two))
		})
	}
}

// Behind a balancer that nobody has named all clients look like one: nobody is throttled, and why is told once an hour.
func TestThrottle_UncertainAddress(t *testing.T) {
	t.Parallel()
	clock, heard := newClock(), new(events)
	keys := openKeys(t, newStub(), keystore.Config{Now: clock.Now, OnEvent: heard.hear, RemindInterval: -1})
	balancer := func() (netip.Addr, bool) { return netip.MustParseAddr("10.0.0.1"), false }
	require.Equal(t, unknown, guess(t, keys, 0, 500, balancer))
	clock.move(59 * time.Minute)
	require.Equal(t, unknown, guess(t, keys, 500, 700, balancer))
	clock.move(time.Minute)
	require.Equal(t, unknown, guess(t, keys, 700, 900, balancer))
	require.NoError(t, keys.Close())
	told := heard.all()
	require.Len(t, told, 2)
	require.Equal(t, keystore.EventFault, told[0].Type)
	require.Equal(t, "10.0.0.1/32", told[0].Network.String())
	require.ErrorContains(t, told[0].Err, "not throttled")
	require.ErrorContains(t, told[0].Err, "TrustedProxies")
}

func TestThrottle_Off(t *testing.T) {
	t.Parallel()
	keys := openKeys(t, newStub(), keystore.Config{Throttle: keystore.Throttle{DangerouslyOff: true}})
	never := func() (netip.Addr, bool) { t.Error("asked"); return netip.Addr{}, true }
	require.Equal(t, unknown, guess(t, keys, 0, 300, never))
}

func TestThrottle_Config(t *testing.T) {
	t.Parallel()
	_, err := keystore.New(newStub(), keystore.Config{Throttle: keystore.Throttle{Credentials: 1001, Passwords: 101}})
	require.ErrorContains(t, err, "keystore: Config.Throttle.Credentials is 1001: want 1 to 1,000")
	require.ErrorContains(t, err, "keystore: Config.Throttle.Passwords is 101: want 1 to 100")
	_, err = keystore.New(newStub(), keystore.Config{Throttle: keystore.Throttle{Credentials: -1, Passwords: -1}})
	require.ErrorContains(t, err, "Credentials is -1")
	require.ErrorContains(t, err, "Passwords is -1")
}

// A foreign text may be another verifier's: it counts when whoever asks them says that it is none of theirs, and even
// where it is refused the others may be asked.
func TestThrottle_ForeignTexts(t *testing.T) {
	t.Parallel()
	clock := newClock()
	keys := openKeys(t, newStub(), keystore.Config{Now: clock.Now, AcceptForeign: true, Throttle: keystore.Throttle{Credentials: 10}})
	foreign := func(n int) error {
		_, err := keys.VerifyFrom(t.Context(), nobodys(t, 2*n), remote(office))
		require.ErrorIs(t, err, keystore.ErrUnrecognized)
		return err
	}
	for n := range 100 {
		requireOutcome(t, foreign(n), keystore.OutcomeUnknown)
	}
	for n := 100; n < 110; n++ {
		err := foreign(n)
		for range 3 {
			keys.CountRefused(t.Context(), err)
		}
	}
	for n := 200; n < 210; n++ { // the spare ones
		requireOutcome(t, foreign(n), keystore.OutcomeUnknown)
	}
	requireOutcome(t, foreign(300), keystore.OutcomeThrottled)
	for _, nothing := range []error{nil, keystore.ErrUnrecognized, (*keystore.RefusedError)(nil), &keystore.RefusedError{Outcome: keystore.OutcomeUnknown}} {
		keys.CountRefused(t.Context(), nothing)
	}
}

// T-140: whoever presents whatever, memory is bounded, and what is remembered of others stays.
func TestThrottle_T140_Heap(t *testing.T) {
	flood := 40_000
	if testing.Short() {
		flood = 10_000
	}
	clock := newClock()
	keys := openKeys(t, newStub(), keystore.Config{Now: clock.Now, CacheEntries: 100})
	before := heapInUse()
	for n := range flood {
		from := netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})
		guess(t, keys, n, n+1, func() (netip.Addr, bool) { return from, true })
	}
	require.Less(t, heapInUse()-before, int64(4<<20))
	runtime.KeepAlive(keys)
}

// What is known costs nothing: neither memory nor the question where it came from.
func TestVerifyFrom_Allocations(t *testing.T) {
	keys := openKeys(t, newStub(), keystore.Config{})
	_, text := issue(t, keys, spec)
	requireAccepted(t, keys, text)
	asked := 0
	addr := netip.MustParseAddr(office)
	require.Zero(t, testing.AllocsPerRun(200, func() {
		p, err := keys.VerifyFrom(t.Context(), text, func() (netip.Addr, bool) {
			asked++
			return addr, true
		})
		if p == nil || err != nil {
			t.Fatal(err)
		}
	}))
	require.Zero(t, asked)
}

// T-024, by simulation: a thousand who guess at once get no more than the limit and what a second spares.
func TestThrottle_T024_AtOnce(t *testing.T) {
	t.Parallel()
	store, clock := newStub(), newClock()
	keys := openKeys(t, store, keystore.Config{Now: clock.Now})
	guess(t, keys, 0, 100, remote(stranger))
	store.lookups.Store(0)
	var all sync.WaitGroup
	for worker := range 50 {
		all.Go(func() {
			for n := range 20 {
				_, _ = keys.VerifyFrom(t.Context(), nobodys(t, 2*(1000+20*worker+n)+1), remote(stranger))
			}
		})
	}
	all.Wait()
	require.EqualValues(t, 10, store.lookups.Load())
}

// Nothing of an event or an error is what was presented.
func TestThrottle_TellsNoSecret(t *testing.T) {
	t.Parallel()
	heard := new(events)
	keys := openKeys(t, newStub(), keystore.Config{OnEvent: heard.hear, RemindInterval: -1, Throttle: keystore.Throttle{Credentials: 1}})
	text := nobodys(t, 1)
	_, err := keys.VerifyFrom(t.Context(), text, remote(office))
	require.NoError(t, keys.Close())
	for _, said := range []string{fmt.Sprintf("%+v %#v", err, err), fmt.Sprintf("%+v", heard.all())} {
		require.NotContains(t, said, text[len(text)-30:])
		require.NotContains(t, said, text)
	}
	require.Len(t, heard.all(), 1)
}
