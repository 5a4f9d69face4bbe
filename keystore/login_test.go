package keystore_test

import (
	"context"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
)

const right = "correct horse"

// cheap is what HashPassword might make of right, but for the work: a simulation needs thousands.
func cheap(t testing.TB) string {
	t.Helper()
	salt := []byte("sixteen bytes...")
	digest, err := pbkdf2.Key(sha256.New, right, salt, 1000, sha256.Size)
	require.NoError(t, err)
	encode := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$pbkdf2-sha256$i=1000$%s$%s", encode(salt), encode(digest))
}

// site is an app with a login.
type site struct {
	t      testing.TB
	keys   *keystore.Keys
	clock  *clock
	heard  *events
	cheap  string
	stored map[string]string // if it is not cheap
}

func openSite(t testing.TB, limits keystore.Throttle) *site {
	t.Helper()
	s := &site{t: t, clock: newClock(), heard: new(events), cheap: cheap(t), stored: map[string]string{"nobody": ""}}
	s.keys = openKeys(t, newStub(), keystore.Config{Now: s.clock.Now, OnEvent: s.heard.hear, RemindInterval: -1, Throttle: limits})
	return s
}

func (s *site) login(account, from, password string) (bool, error) {
	stored, ok := s.stored[account]
	if !ok {
		stored = s.cheap
	}
	l := keystore.Login{Account: account, Stored: stored, Password: keystore.NewSecret(password)}
	if from != "" {
		l.Remote = netip.MustParseAddr(from)
	}
	return s.keys.CheckLogin(s.t.Context(), l)
}

func (s *site) accepts(account, from string) {
	s.t.Helper()
	ok, err := s.login(account, from, right)
	require.NoError(s.t, err)
	require.True(s.t, ok)
}

func (s *site) throttles(account, from, password string) time.Duration {
	s.t.Helper()
	ok, err := s.login(account, from, password)
	require.False(s.t, ok)
	requireOutcome(s.t, err, keystore.OutcomeThrottled)
	return err.(*keystore.RefusedError).RetryAfter
}

// guess tries n different wrong passwords, and returns how many were looked at.
func (s *site) guess(account string, n int, from func(n int) string) (tried int) {
	s.t.Helper()
	for i := range n {
		ok, err := s.login(account, from(i), fmt.Sprint("wrong ", i))
		require.False(s.t, ok)
		if err == nil {
			tried++
			continue
		}
		requireOutcome(s.t, err, keystore.OutcomeThrottled)
	}
	return tried
}

func one(ip string) func(int) string { return func(int) string { return ip } }

// botnet is an address of its own for each guess.
func botnet(n int) string {
	return netip.AddrFrom4([4]byte{203, byte(n >> 16), byte(n >> 8), byte(n)}).String()
}

// T-024: guessing one account from everywhere ends after fifty different wrong passwords in 24 hours.
// T-025: who comes from where they usually come from logs in all the while.
func TestLogin_T024_T025_OneAccountFromEverywhere(t *testing.T) {
	t.Parallel()
	s := openSite(t, keystore.Throttle{})
	s.accepts("ann", office)
	require.InDelta(t, 50, s.guess("ann", 3000, botnet), 3, "but for the few that look alike")
	s.accepts("ann", office)
	s.accepts("bob", stranger)
	require.LessOrEqual(t, s.throttles("ann", stranger, right), 24*time.Hour+time.Second, "from elsewhere one has to wait")
	require.Positive(t, s.throttles("ann", "", right))

	s.clock.move(23 * time.Hour)
	require.Zero(t, s.guess("ann", 1000, botnet))
	s.accepts("ann", office)
	s.clock.move(time.Hour + time.Second)
	s.accepts("ann", stranger)
	s.accepts("ann", office)
}

// T-024: many accounts from one network. T-025: its usual customers log in.
func TestLogin_T024_T025_ManyAccountsFromOneNetwork(t *testing.T) {
	t.Parallel()
	s := openSite(t, keystore.Throttle{})
	s.accepts("ann", office)
	tried := 0
	for n := range 1000 {
		ok, err := s.login(fmt.Sprint("account ", n), office, "Summer2026")
		require.False(t, ok)
		if err == nil {
			tried++
		}
		s.clock.move(100 * time.Millisecond)
	}
	require.InDelta(t, 100, tried, 3)
	s.accepts("ann", office)
	require.LessOrEqual(t, s.throttles("bob", office, right), 10*time.Minute+time.Second)
	s.accepts("bob", stranger)
	s.clock.move(10*time.Minute + time.Second)
	s.accepts("bob", office)
}

// A usual network has a limit of its own: whoever guesses from there locks that door and no other.
func TestLogin_T024_FromAUsualNetwork(t *testing.T) {
	t.Parallel()
	s := openSite(t, keystore.Throttle{Passwords: 5})
	s.accepts("ann", office)
	require.Equal(t, 5, s.guess("ann", 50, one(office)))
	s.throttles("ann", office, right)
	s.accepts("ann", stranger)
	require.Equal(t, 5, s.guess("ann", 50, botnet))
	s.accepts("ann", stranger) // usual since
	s.clock.move(24*time.Hour + time.Second)
	s.accepts("ann", office)
}

// T-025: a device with an outdated password that tries for days is one guess, and locks nobody out.
func TestLogin_T025_OutdatedDevice(t *testing.T) {
	t.Parallel()
	s := openSite(t, keystore.Throttle{Passwords: 3})
	for range 300 {
		ok, err := s.login("ann", office, "the one before")
		require.NoError(t, err)
		require.False(t, ok)
		s.clock.move(5 * time.Minute)
	}
	s.accepts("ann", office)
	require.Equal(t, 2, s.guess("ann", 10, one("192.0.2.99")), "it has one place of the strangers'")
}

// The right password is no guess, however often, and also where it was wrong before.
func TestLogin_RightOnesDoNotCount(t *testing.T) {
	t.Parallel()
	s := openSite(t, keystore.Throttle{Passwords: 2})
	for n := range 50 {
		s.accepts("ann", botnet(n))
	}
	s.stored["ann"] = "" // another password
	ok, err := s.login("ann", "", right)
	require.NoError(t, err)
	require.False(t, ok)
	delete(s.stored, "ann") // and this one again
	s.accepts("ann", "")
	require.Equal(t, 2, s.guess("ann", 10, one("")), "both places are free")
}

// T-021: whether an account exists makes no difference to what is counted and said.
func TestLogin_T021_UnknownAccounts(t *testing.T) {
	t.Parallel()
	var said [2][]string
	for i, account := range []string{"ann", "nobody"} {
		s := openSite(t, keystore.Throttle{Passwords: 3})
		for n := range 6 {
			ok, err := s.login(account, stranger, fmt.Sprint(n))
			said[i] = append(said[i], fmt.Sprint(ok, err))
		}
		require.Equal(t, "false <nil>", said[i][2])
		require.Equal(t, "false keystore: refused: throttled", said[i][3])
	}
	require.Equal(t, said[0], said[1])
}

// What could not be checked is no guess, and gives no place back that was taken before.
func TestLogin_NoAnswer(t *testing.T) {
	t.Parallel()
	s := openSite(t, keystore.Throttle{Passwords: 3})
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	ask := func(password string) {
		ok, err := s.keys.CheckLogin(gone, keystore.Login{Account: "ann", Stored: s.cheap, Password: keystore.NewSecret(password)})
		require.False(t, ok)
		requireUnavailable(t, err)
	}
	for n := range 20 {
		ask(fmt.Sprint("never ", n))
	}
	require.Equal(t, 2, s.guess("ann", 2, one("")))
	for range 20 {
		ask("wrong 0")
	}
	_, err := s.login("ann", "", "the third")
	require.NoError(t, err)
	s.throttles("ann", "", "the fourth")
}

// Whoever asks at once gets no more.
func TestLogin_T024_AtOnce(t *testing.T) {
	t.Parallel()
	s := openSite(t, keystore.Throttle{Passwords: 10})
	var tried atomic.Int64
	var all sync.WaitGroup
	for n := range 60 {
		all.Go(func() {
			_, err := s.login("ann", botnet(n), fmt.Sprint(n))
			if err == nil {
				tried.Add(1)
			}
		})
	}
	all.Wait()
	require.EqualValues(t, 10, tried.Load())
	require.Zero(t, s.guess("ann", 1, one("")))
}

func TestLogin_Misuse(t *testing.T) {
	t.Parallel()
	s := openSite(t, keystore.Throttle{})
	_, err := s.login("", office, right)
	require.ErrorIs(t, err, keystore.ErrInvalid)
	_, err = s.login("ann", office, string(make([]byte, 1025)))
	require.ErrorIs(t, err, keystore.ErrPasswordTooLong)
	s.stored["ann"] = "$argon2id$broken"
	_, err = s.login("ann", office, right)
	requireUnavailable(t, err)
}

func TestLogin_Off(t *testing.T) {
	t.Parallel()
	s := openSite(t, keystore.Throttle{DangerouslyOff: true})
	require.Equal(t, 300, s.guess("ann", 300, one(office)))
	s.accepts("ann", office)
}

// T-129, T-130: each limit that is reached is told once a window, by network, and never by what was typed.
func TestLogin_T129_T130_Events(t *testing.T) {
	t.Parallel()
	s := openSite(t, keystore.Throttle{Credentials: 5, Passwords: 3})
	s.guess("hunter2-in-the-wrong-field", 10, one(stranger))
	s.guess("ann", 10, one(stranger))
	s.guess("bob", 10, one(stranger))
	require.NoError(t, s.keys.Close())
	var told []string
	for _, e := range s.heard.all() {
		require.Equal(t, keystore.EventThrottled, e.Type)
		told = append(told, fmt.Sprint(e.Network, " ", e.Err))
	}
	require.Equal(t, []string{
		"198.51.100.7/32 keystore: 3 different wrong passwords were tried for one account within 24h0m0s; this is the network of the last",
		"198.51.100.7/32 keystore: 5 different wrong passwords came from this network within 10m0s",
	}, told)
}

// whatever names are tried, memory is bounded.
func TestLogin_Heap(t *testing.T) {
	s := openSite(t, keystore.Throttle{})
	before := heapInUse()
	for n := range 25_000 {
		l := keystore.Login{Account: fmt.Sprint(n), Stored: "$none", Remote: netip.MustParseAddr(botnet(n)), Password: keystore.NewSecret("x")}
		_, err := s.keys.CheckLogin(t.Context(), l) // cannot be checked, and is forgotten
		requireUnavailable(t, err)
	}
	require.Less(t, heapInUse()-before, int64(1<<20))
	for n := range 300 {
		s.accepts("ann", botnet(n))
		_, err := s.login(fmt.Sprint(n), botnet(n), "x")
		require.NoError(t, err)
	}
	require.Less(t, heapInUse()-before, int64(2<<20))
	runtime.KeepAlive(s)
}

// T-023: a repeated password is no new guess, and costs a hash all the same.
func TestLogin_T023_RepeatsArePaced(t *testing.T) {
	t.Parallel()
	s := openSite(t, keystore.Throttle{})
	hashed := func() (n int) {
		for range 300 {
			if _, err := s.login("ann", stranger, "Summer2026"); err == nil {
				n++
			}
		}
		return n
	}
	require.Equal(t, 100, hashed())
	require.Equal(t, 100*time.Millisecond, s.throttles("ann", stranger, right))
	s.accepts("ann", office)
	s.clock.move(time.Second)
	require.Equal(t, 10, hashed())
}

// T-025: whoever has an account, and many networks, pushes nobody else's usual network out.
func TestLogin_T025_UsualNetworksOfOthersStay(t *testing.T) {
	t.Parallel()
	s := openSite(t, keystore.Throttle{})
	s.accepts("ann", office)
	for n := range 2000 {
		s.accepts("mallory", fmt.Sprintf("2001:db8:%x::1", n))
	}
	s.guess("ann", 100, one(stranger))
	s.throttles("ann", stranger, right)
	s.accepts("ann", office)
	s.guess("mallory", 100, botnet)
	s.accepts("mallory", "2001:db8:7cf::1")
	s.throttles("mallory", "2001:db8:1::1", right)
}
