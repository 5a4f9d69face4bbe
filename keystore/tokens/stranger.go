package tokens

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/claviger-go/claviger/keystore"
)

// stranger answers for a token that names a key which this process lacks. If the
// session that it claims to be of names that key as well, then the key is not deployed
// here yet, which makes nobody's token bad. Otherwise the name is made up, or was
// dropped when no live session needed it any more.
func (t *Tokens) stranger(ctx context.Context, name, session string, expires int64) error {
	no := &keystore.RefusedError{Outcome: keystore.OutcomeWrongSecret}
	switch now := t.keys.Now().Unix(); {
	case t.secrets.dropped[name], now >= expires, len(session) != len(sessionPrefix)+sessionDigits:
		return no
	case !t.strangers.take(now):
		return t.lacks(ctx)
	}
	p, err := t.keys.PrincipalNow(ctx, session)
	if err != nil {
		return err
	}
	r, _ := p.Record()
	if secret, key, _ := strings.Cut(r.Generation.Signer, " "); name == secret || name == key {
		return t.lacks(ctx)
	}
	return no
}

// lacks is the answer where a key is missing here. What a token calls it is not for
// logs.
func (t *Tokens) lacks(ctx context.Context) error {
	err := fmt.Errorf("%w: tokens: a token was made with a key that this process lacks; deploy it here, "+
		"or name it in Config.DroppedKeys if it was dropped because it leaked", keystore.ErrUnavailable)
	const quiet = 60 // seconds
	if now, last := t.keys.Now().Unix(), t.told.Load(); now-last >= quiet && t.told.CompareAndSwap(last, now) {
		t.keys.Fault(ctx, err)
	}
	return err
}

// strangersPerSecond bounds how often names that anybody can make up ask the store.
const strangersPerSecond = 100

// budget is what is left of a second.
type budget struct {
	second atomic.Int64
	taken  atomic.Int64
}

// take reports whether there is something left. Around the turn of a second a few more
// may pass.
func (b *budget) take(now int64) bool {
	if last := b.second.Load(); last != now && b.second.CompareAndSwap(last, now) {
		b.taken.Store(0)
	}
	return b.taken.Add(1) <= strangersPerSecond
}
