package tokens

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/claviger-go/claviger/keystore"
)

// A session that may become idle expires when it would be: its expiry moves ahead while
// it is used, in steps, up to that of its tokens. So every process knows, whatever the
// store keeps of usage.

// extensionTime bounds how long a request waits for the step that it happens to take.
const extensionTime = 250 * time.Millisecond

// idleExpiry is when the session expires that is used now.
func (t *Tokens) idleExpiry(r *keystore.Record) time.Time {
	if t.config.IdleTimeout == 0 {
		return r.Generation.Expires
	}
	return earlier(r.Generation.Expires, t.keys.Now().Add(t.config.IdleTimeout))
}

// extensionDue is from when on a use moves the expiry of the session.
func (t *Tokens) extensionDue(r *keystore.Record) time.Time {
	if t.config.IdleTimeout == 0 || !r.Expires.Before(r.Generation.Expires) {
		return time.UnixMicro(math.MaxInt64)
	}
	return r.Expires.Add(t.config.IdleTimeout/8 - t.config.IdleTimeout)
}

// use moves the expiry of a session ahead whose token is used.
func (t *Tokens) use(ctx context.Context, known *proof, p *keystore.Principal, now time.Time) {
	due := known.extend.Load()
	if now.UnixMicro() < due || !known.extend.CompareAndSwap(due, now.Add(time.Second).UnixMicro()) {
		return // not yet, or somebody does; if that fails, another in a second
	}
	r, _ := p.Record()
	t.extend(ctx, &r)
}

// extend moves the expiry of a session ahead, if it is time. Where that fails the
// session goes on as long as it would have.
func (t *Tokens) extend(ctx context.Context, r *keystore.Record) {
	if t.keys.Now().Before(t.extensionDue(r)) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, extensionTime)
	defer cancel()
	_, _ = t.keys.Edit(ctx, r.ID, func(r *keystore.Record) error {
		if t.over(r) || t.keys.Now().Before(t.extensionDue(r)) {
			return errors.New("nothing to do")
		}
		r.Expires = t.idleExpiry(r)
		return nil
	})
}
