package keystore

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/claviger-go/claviger/keystore/internal/misuse"
)

// MisusePolicy says what follows from signs that a key is used as it should not be.
// [Config.OnEvent] hears of each, once per key, sign and window; the zero policy leaves
// it at that. The signs are:
//
//   - [EventMisuse] for [ReasonServices]: more services use the key than
//     [Limits.Services] allows.
//   - [EventMisuse] for [ReasonBrowser]: a browser presented a key with
//     [Limits.ServerOnly]. The request was refused.
//   - [EventExposed]: the key was sent over plain HTTP, where anybody on the way could
//     read it. The request was refused.
//
// All of them take the key's secret, or a token derived from it; a policy suspends for
// the secret alone, so that no stranger can have a customer suspended, and nobody who
// was given a token. Whoever stole the key can, as he should. A policy never revokes: that is
// final, and one proxy named wrongly in middleware.Config.TrustedProxies would end
// every key in seconds.
//
// What was seen is kept in this process alone, for two windows and up to
// [Config.CacheEntries] keys in each. Processes that share a store judge by what each
// of them sees, and a restart begins anew.
type MisusePolicy struct {
	_ struct{}

	// SuspendServices suspends keys that too many services use, for
	// [ReasonMisuse]. Defaults to false.
	SuspendServices bool
	// SuspendBrowser suspends server-only keys that browsers present, for
	// [ReasonMisuse]. Defaults to false.
	SuspendBrowser bool
	// SuspendExposed suspends keys sent over plain HTTP, for [ReasonCompromised].
	// Try without it first: behind a proxy that is not in TrustedProxies, all keys
	// seem to be. Defaults to false.
	SuspendExposed bool

	// Window is the time that is looked at as a whole, from 1 min to 24 h in whole
	// seconds. Services that take turns within a longer time than this are not told
	// apart from one that moved. Defaults to 10 min.
	Window time.Duration
	// Windows is in how many windows in a row there has to be the same sign before a
	// key is suspended: 2 to 1,000. Defaults to 3, and so to 20 min at least.
	Windows int
}

func (p *MisusePolicy) suspends() bool {
	return p.SuspendServices || p.SuspendBrowser || p.SuspendExposed
}

func (p *MisusePolicy) check(writable bool, bad func(field string, value any, want string)) {
	if p.Window < time.Minute || p.Window > 24*time.Hour || p.Window%time.Second != 0 {
		bad("Misuse.Window", p.Window, "1m to 24h, in whole seconds")
	}
	if p.Windows < 2 || p.Windows > 1000 {
		bad("Misuse.Windows", p.Windows, "2 to 1,000: what is seen once may be chance")
	}
	if p.suspends() && !writable {
		bad("Misuse.Suspend…", true, "false: the store is read-only")
	}
}

// Trace notes from where a request came that [Keys.Admit] let through, and what its
// client calls itself (User-Agent), for [Usage] and [MisusePolicy]. It asks origin at
// most 16 times a second for one credential, and not at all where nobody wants to
// know: on every request it costs next to nothing.
func (p *Principal) Trace(origin func() (remote netip.Addr, userAgent string)) {
	if p.nobody() || p.use == nil {
		return
	}
	var remote netip.Addr
	var agent string
	tick := p.use.seen.Load()
	asked, own := false, true
	for ; p != nil; p, own = p.parent, false {
		if !p.use.look(tick) {
			continue
		}
		if !asked {
			remote, agent = origin()
			asked = true
		}
		if remote.IsValid() {
			p.traced(p.use.keys.misuse.See(tickTime(tick), remote, agent), own)
		}
	}
}

// look reports whether a use in this tick is to be traced: the first one is.
func (u *use) look(tick int64) bool {
	before := u.looked.Load()
	return u.traced && before < tick && u.looked.CompareAndSwap(before, tick)
}

func (p *Principal) traced(s misuse.Sighting, own bool) {
	if known := p.use.sighting.Load(); known != nil && *known == s {
		return
	}
	kept := s // a copy, so that nothing is allocated for what is known
	p.use.sighting.Store(&kept)
	if licensed := p.record.Limits.Services; licensed > 0 {
		k := p.use.keys
		k.suspect(misuse.Services, p.record, s.Network, own, k.misuse.Used(p.record.ID, licensed, s))
	}
}

// examine looks at why a request was refused whose client has the secret.
func (p *Principal) examine(a *Access, refused *RefusedError) {
	var what misuse.Finding
	switch refused.Outcome {
	case OutcomeHTTPSRequired:
		what = misuse.Exposed
	case OutcomeBrowserRefused:
		what = misuse.Browser
	default:
		return
	}
	for own := true; p != nil && p.use != nil; p, own = p.parent, false {
		if p.record.ID == refused.KeyID {
			k := p.use.keys
			k.suspect(what, p.record, misuse.Network(a.Remote), own, k.misuse.Found(p.record.ID, what, k.config.Now()))
		}
	}
}

// suspicion is a key that is to be suspended.
type suspicion struct {
	id     string
	reason Reason
}

// suspect tells of a sign of misuse, and has the key suspended if the policy says so
// after so many windows in a row. 0 windows: it is no news.
//
// own: the key's secret was shown, and no token derived from it.
func (k *Keys) suspect(what misuse.Finding, r *Record, network netip.Prefix, own bool, windows int) {
	if windows == 0 {
		return
	}
	policy := &k.config.Misuse
	e := Event{Type: EventMisuse, KeyID: r.ID, Kind: r.Kind, Owner: r.Owner, Network: network}
	var suspend bool
	reason := ReasonMisuse
	switch what {
	case misuse.Services:
		e.Reason, suspend = ReasonServices, policy.SuspendServices
	case misuse.Browser:
		e.Reason, suspend = ReasonBrowser, policy.SuspendBrowser
	default:
		e.Type, suspend, reason = EventExposed, policy.SuspendExposed, ReasonCompromised
	}
	k.enqueue(heard{event: e})
	if !suspend || !own || r.Kind == KindSession || windows < policy.Windows {
		return
	}
	select {
	case k.suspicions <- suspicion{r.ID, reason}:
	default: // it will be found again in the next window
	}
}

// misuseActor is who suspends by a policy.
const misuseActor = "misuse policy"

// runSuspensions suspends until ctx ends. What is left over is found again.
func (k *Keys) runSuspensions(ctx context.Context) {
	for {
		select {
		case s := <-k.suspicions:
			k.suspendFor(WithActor(ctx, misuseActor), s)
		case <-ctx.Done():
			return
		}
	}
}

func (k *Keys) suspendFor(ctx context.Context, s suspicion) {
	// Cut short by Close, it might have happened and never be told.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTime)
	defer cancel()
	switch err := k.Suspend(ctx, s.id, s.reason); {
	case err == nil:
		k.misuse.Reset(s.id) // whoever resumes it has looked into it
	case !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrRevoked):
		k.fault(ctx, fmt.Errorf("keystore: suspending %s for misuse: %w", s.id, err))
	}
}
