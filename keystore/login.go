package keystore

import (
	"context"
	"fmt"
	"hash/maphash"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/claviger-go/claviger/keystore/internal/gcra"
	"github.com/claviger-go/claviger/keystore/internal/throttle"
)

// Login is somebody's attempt to log in to an account with a password.
type Login struct {
	// Account is the one that was asked for: its id or, if there is none, what was
	// typed. Spellings that the app takes for one account have to be one text here.
	// It is remembered as a keyed hash, since people type passwords into the wrong
	// field.
	Account string
	// Remote is the client's address; middleware has Auth.Remote for it. Invalid: not
	// known, so that no network is throttled, and none is a usual one.
	Remote netip.Addr
	// Stored is what HashPassword made; "" if there is no such account, or it has no
	// password.
	Stored   string
	Password Secret
}

const (
	loginWindow       = 24 * time.Hour
	throttledAccounts = 16_384
	usualNetworks     = 16 // of an account: whoever has one account pushes no other's out

	// hashesEach and hashesAtOnce bound what one network may cost, repeated
	// passwords included: ten slow hashes a second, and a hundred at once.
	hashesEach   = 100 * time.Millisecond
	hashesAtOnce = 100 * hashesEach
)

// logins remember wrong passwords, and who was right.
type logins struct {
	seed     maphash.Seed
	opened   time.Time
	accounts *throttle.Throttle[door]
	networks *throttle.Throttle[netip.Prefix]

	mu    sync.Mutex
	usual *simplelru.LRU[uint64, []netip.Prefix] // of accounts: where somebody has logged in, the latest last

	pace *gcra.Buckets // of slow hashes, by network
}

// door is an account as seen from a network; without one, from all where nobody has
// logged in to it. Guesses are counted for each by itself: a stranger who locks his
// own leaves that of the account's owner open.
type door struct {
	account uint64
	network netip.Prefix
}

func newLogins(c *Throttle, now time.Time) *logins {
	usual, err := simplelru.NewLRU[uint64, []netip.Prefix](throttledAccounts, nil)
	if err != nil {
		panic(err) // only for a size below 1
	}
	return &logins{
		seed:     maphash.MakeSeed(),
		accounts: throttle.New[door](throttle.Config{Max: c.Passwords, Window: loginWindow, Size: throttledAccounts}, now),
		networks: throttle.New[netip.Prefix](throttle.Config{Max: c.Credentials, Window: guessWindow, Size: throttledNetworks}, now),
		usual:    usual,
		pace:     gcra.NewBuckets(throttledNetworks),
		opened:   now,
	}
}

// CheckLogin is [Keys.CheckPassword] for a login: whoever guesses is refused with
// [OutcomeThrottled], before any hashing and alike whether the account exists.
//
// Each account has two limits of [Throttle.Passwords] different wrong ones: one for
// each network from which somebody has logged in to it before (which these Keys
// remember until they are closed, 16 for an account and of 16,384 accounts), and one for all others
// together. So a stranger who is refused keeps nobody out who comes from where they
// usually come from; but who comes from elsewhere has to wait, or to reset the
// password. A network that has tried [Throttle.Credentials] wrong passwords within
// ten minutes, on whatever accounts, is refused as well, but for accounts to which
// somebody has logged in from there; and any network gets at most ten hashes a second
// over time.
//
// Without Remote there is no limit of a network. Auth.Remote knows none where a
// forwarding header comes from a peer that is not among the TrustedProxies, which a
// client that connects directly can send: name the proxies, or refuse such requests.
//
// An error is a [*RefusedError], [ErrPasswordTooLong], [ErrInvalid] without an
// account, or wraps [ErrUnavailable].
func (k *Keys) CheckLogin(ctx context.Context, l Login) (bool, error) {
	switch {
	case l.Account == "":
		return false, fmt.Errorf("%w: a login without an account", ErrInvalid)
	case len(l.Password.Reveal()) > maxPassword:
		return false, ErrPasswordTooLong
	case k.logins == nil:
		return k.CheckPassword(ctx, l.Stored, l.Password)
	}
	now := k.config.Now()
	at, from, known := k.logins.door(l)
	guess := k.logins.guess(l)
	if known && at.network != from {
		if wait := k.logins.networks.Admit(from, now); wait > 0 {
			return false, &RefusedError{Outcome: OutcomeThrottled, RetryAfter: wait}
		}
	}
	if known {
		if wait := k.logins.paced(from, now); wait > 0 {
			return false, &RefusedError{Outcome: OutcomeThrottled, RetryAfter: wait}
		}
	}
	counted, wait := k.logins.accounts.Try(at, guess, now)
	if wait > 0 {
		return false, &RefusedError{Outcome: OutcomeThrottled, RetryAfter: wait}
	}
	ok, err := k.CheckPassword(ctx, l.Stored, l.Password)
	switch {
	case err != nil:
		if counted {
			k.logins.accounts.Forget(at, guess)
		}
		return false, err
	case ok:
		k.logins.accounts.Forget(at, guess)
		if known {
			k.logins.remember(door{at.account, from})
		}
		return true, nil
	}
	if k.logins.accounts.Wrong(at, guess, now) {
		k.tellThrottled(ctx, from, fmt.Errorf("keystore: %d different wrong passwords were tried for one account within %v; this is the network of the last", k.config.Throttle.Passwords, loginWindow))
	}
	if known && k.logins.networks.Wrong(from, guess, now) {
		k.tellThrottled(ctx, from, fmt.Errorf("keystore: %d different wrong passwords came from this network within %v", k.config.Throttle.Credentials, guessWindow))
	}
	return false, nil
}

// door returns where the guess counts, and the network it comes from, if known.
func (s *logins) door(l Login) (at door, from netip.Prefix, known bool) {
	at.account = maphash.String(s.seed, l.Account)
	if from, known = networkOf(l.Remote); known {
		s.mu.Lock()
		defer s.mu.Unlock()
		if doors, _ := s.usual.Get(at.account); slices.Contains(doors, from) {
			at.network = from
		}
	}
	return at, from, known
}

// paced returns how long a network has to wait for its next slow hash.
func (s *logins) paced(from netip.Prefix, now time.Time) time.Duration {
	owed, taken := s.pace.Of(from.String()).Take(now.Sub(s.opened).Microseconds(), hashesEach.Microseconds(), hashesAtOnce.Microseconds())
	if taken {
		return 0
	}
	return time.Duration(owed)*time.Microsecond + hashesEach - hashesAtOnce
}

func (s *logins) remember(d door) {
	s.mu.Lock()
	defer s.mu.Unlock()
	doors, _ := s.usual.Get(d.account)
	doors = append(slices.DeleteFunc(slices.Clone(doors), func(p netip.Prefix) bool { return p == d.network }), d.network)
	s.usual.Add(d.account, doors[max(0, len(doors)-usualNetworks):])
}

// guess is 16 bits of a digest: enough to tell a wrong password from a repeated one,
// and too little to find out from this process's memory which it was.
func (s *logins) guess(l Login) uint32 {
	var h maphash.Hash
	h.SetSeed(s.seed)
	_, _ = h.WriteString(l.Account)
	_ = h.WriteByte(0)
	_, _ = h.WriteString(l.Password.Reveal())
	return uint32(h.Sum64() & 0xffff)
}
