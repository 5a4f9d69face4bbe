package keystore

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/claviger-go/claviger/keystore/internal/throttle"
)

// Throttle slows down who guesses. A network is an IPv4 address or the /64 of an IPv6
// one; where a balancer hides the addresses of its clients, they are all one.
//
// All that it remembers is in memory, of this process alone: at most 30 MB with these
// defaults, under an attack from many networks on many accounts.
type Throttle struct {
	_ struct{}

	// Credentials is how many different wrong credentials a network may present in
	// any ten minutes. Beyond that, credentials remembered from before still pass,
	// and all others of that network share ten Lookups a second: a valid one may
	// have to come again ([OutcomeThrottled]), and is never locked out. Nothing is
	// counted by key id. One that is malformed, expired, suspended or revoked is no
	// guess, and neither is one that is repeated. Wrong passwords have the same limit,
	// and are counted apart. 1 to 1,000. Defaults to 100.
	Credentials int
	// Passwords is how many different wrong ones may be tried for an account in any
	// 24 hours, from all networks together from which nobody has logged in to it;
	// and as many from each of the others. See [Keys.CheckLogin]. 1 to 100, which is
	// what NIST SP 800-63B allows. Defaults to 50.
	Passwords int
	// DangerouslyOff lets everybody guess as often as the store and the hasher can
	// answer. Defaults to false.
	DangerouslyOff bool
}

const (
	throttledNetworks = 4096
	guessWindow       = 10 * time.Minute
	spareLookups      = 10 // per second
	uncertainInterval = time.Hour
)

func (c *Throttle) defaults() {
	set(&c.Credentials, 100)
	set(&c.Passwords, 50)
}

func (c *Throttle) check(bad func(field string, value any, want string)) {
	if c.Credentials < 1 || c.Credentials > 1000 {
		bad("Throttle.Credentials", c.Credentials, "1 to 1,000")
	}
	if c.Passwords < 1 || c.Passwords > 100 {
		bad("Throttle.Passwords", c.Passwords, "1 to 100")
	}
}

// guesses are the wrong credentials of late, by network.
type guesses struct {
	seed      maphash.Seed
	networks  *throttle.Throttle[netip.Prefix]
	uncertain atomic.Int64 // Unix second when it was last told that addresses are not the clients'
}

func newGuesses(c *Throttle, now time.Time) *guesses {
	return &guesses{seed: maphash.MakeSeed(), networks: throttle.New[netip.Prefix](throttle.Config{
		Max: c.Credentials, Window: guessWindow, Spare: time.Second / spareLookups, Size: throttledNetworks,
	}, now)}
}

// guess is a wrong credential from somewhere; as an error, one that another verifier
// may know.
type guess struct {
	from   netip.Prefix
	digest uint32
}

func (g *guess) Error() string { return ErrUnrecognized.Error() }
func (g *guess) Unwrap() error { return ErrUnrecognized }

// guesser is the network whose guesses count together; false if none is known.
func (k *Keys) guesser(ctx context.Context, remote func() (netip.Addr, bool), now time.Time) (netip.Prefix, bool) {
	if k.guesses == nil || remote == nil {
		return netip.Prefix{}, false
	}
	addr, certain := remote()
	network, ok := networkOf(addr)
	if ok && !certain {
		k.tellUncertain(ctx, network, now)
	}
	return network, ok && certain
}

// networkOf is the least that one party has: an IPv4 address, or a /64 of IPv6.
func networkOf(addr netip.Addr) (netip.Prefix, bool) {
	addr = addr.Unmap().WithZone("")
	bits := 64
	if addr.Is4() {
		bits = 32
	}
	network, err := addr.Prefix(bits)
	return network, err == nil && addr.IsValid()
}

// guess makes a guess of a text that was wrong. An attacker who knew the seed could
// make texts that count as one.
func (g *guesses) guess(from netip.Prefix, head string, d digest) *guess {
	var h maphash.Hash
	h.SetSeed(g.seed)
	_, _ = h.WriteString(head)
	_, _ = h.Write(d[:])
	return &guess{from, uint32(h.Sum64())} //nolint:gosec // G115: the low bits
}

func (k *Keys) tellThrottled(ctx context.Context, from netip.Prefix, why error) {
	k.tellLater(ctx, Event{Type: EventThrottled, Network: from, Err: why})
}

// tellUncertain tells once an hour that a balancer stands where clients should be.
func (k *Keys) tellUncertain(ctx context.Context, peer netip.Prefix, now time.Time) {
	last := k.guesses.uncertain.Load()
	if last != 0 && now.Unix()-last < int64(uncertainInterval/time.Second) || !k.guesses.uncertain.CompareAndSwap(last, now.Unix()) {
		return
	}
	k.tellLater(ctx, Event{Type: EventFault, Network: peer, Err: errors.New("keystore: wrong credentials are not throttled: " +
		"requests come from this network with forwarding headers, and it is not among middleware.Config.TrustedProxies, so that the clients are not known")})
}

// CountRefused counts what VerifyFrom has refused as a guess, if another verifier
// might have known the text: once none of them does. Other errors count already, or
// are no guess.
func (k *Keys) CountRefused(ctx context.Context, err error) {
	if wrong, ok := errors.AsType[*guess](err); ok && k.guesses != nil {
		k.count(ctx, wrong)
	}
}

func (k *Keys) count(ctx context.Context, g *guess) {
	if k.guesses.networks.Wrong(g.from, g.digest, k.config.Now()) {
		k.tellThrottled(ctx, g.from, fmt.Errorf("keystore: %d different wrong credentials came from this network within %v",
			k.config.Throttle.Credentials, guessWindow))
	}
}
