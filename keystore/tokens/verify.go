package tokens

import (
	"context"
	"crypto/sha256"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/keystore/internal/credential"
)

// digest is SHA-256 of the part of a text that divide calls its tail.
type digest [sha256.Size]byte

// proof is what was found once and for all: that we made a text, of one generation of a
// session. Whether that counts is asked of the session, at every request.
type proof struct {
	head    string
	session string
	n       uint32
	expires int64 // Unix seconds
	tag     string

	good   atomic.Pointer[keystore.Principal] // to which the tag was found to belong
	bad    atomic.Pointer[refusal]
	extend atomic.Int64 // µs; from then on the session is to be told that it is in use
}

// refusal is what was found in a record that was read at a time.
type refusal struct {
	err error
	at  time.Time
}

// refusalTime is how long a no is remembered, which no token survives anyway: so long
// asks one that is dead, but genuine, no store.
const refusalTime = time.Second

// Verify implements [keystore.Verifier] for the tokens that these Tokens, or others on
// the same store and ring, made. What it remembers is that a text is genuine, and no
// verdict: session and credential are asked at every request, as
// [keystore.Keys.Recheck] does. A token that is remembered costs about what an API key
// does, and allocates nothing.
//
// JWTs of another issuer, and other forms of text, are [keystore.ErrUnrecognized]. A
// token whose session is derived from a key that this process lacks is an error that
// wraps [keystore.ErrUnavailable], unless the key is one of [Config.DroppedKeys].
func (t *Tokens) Verify(ctx context.Context, text string) (*keystore.Principal, error) {
	head, tail, ok := divide(text)
	if !ok {
		return nil, keystore.ErrUnrecognized
	}
	d := digest(sha256.Sum256(credential.Bytes(tail)))
	known, ok := t.proofs.Get(d)
	if !ok || known.head != head {
		var err error
		if known, err = t.prove(ctx, text); err != nil {
			return nil, err
		}
		known.head = strings.Clone(head) // or the whole text would stay in memory with it
		t.proofs.Put(d, known)
	}
	return t.stand(ctx, known)
}

// divide splits a text: the head alone is no token, since it lacks 240 bits or more of
// the signature or MAC, and the tail fits one block of SHA-256.
func divide(text string) (head, tail string, ok bool) {
	const block = 55
	if len(text) <= block || len(text) > maxTextBytes {
		return "", "", false
	}
	return text[:len(text)-block], text[len(text)-block:], true
}

func (t *Tokens) isOpaque(text string) bool {
	brand := t.config.Brand
	return len(text) > len(brand) && text[len(brand)] == '_' && text[:len(brand)] == brand
}

// stand returns the principal of a genuine token, if it counts. A no counts only if it
// was read after the request began: elsewhere the session may have begun anew, or the
// credential been rotated, just before the token was made.
func (t *Tokens) stand(ctx context.Context, known *proof) (_ *keystore.Principal, err error) {
	now := t.keys.Now()
	if now.Unix() >= known.expires {
		return nil, known.refused(keystore.OutcomeExpired, "")
	}
	if no := known.bad.Load(); no != nil && now.Sub(no.at).Abs() < refusalTime {
		return nil, no.err
	}
	p := known.good.Load()
	if p != nil {
		p, err = t.keys.Recheck(ctx, p)
	} else {
		p, err = t.keys.Principal(ctx, known.session)
	}
	if err == nil {
		err = t.belongs(ctx, known, p)
	}
	if err != nil && isFinal(err) {
		if p, err = t.keys.PrincipalNow(ctx, known.session); err == nil {
			err = t.belongs(ctx, known, p)
		}
		if isFinal(err) {
			known.bad.Store(&refusal{err, now})
		}
	}
	if err != nil {
		return nil, err
	}
	if t.config.IdleTimeout > 0 {
		t.use(ctx, known, p, now)
	}
	return p, nil
}

// isFinal reports whether err is a no that may be out of date, and that lasts if it is
// not. One about a suspension is neither worse nor better than that of a key.
func isFinal(err error) bool {
	var refused *keystore.RefusedError
	return errors.As(err, &refused) && refused.Outcome != keystore.OutcomeSuspended && refused.Outcome != keystore.OutcomeNotYetValid
}

// belongs checks that the session, as read, made the token: once for each reading.
func (t *Tokens) belongs(ctx context.Context, known *proof, p *keystore.Principal) error {
	if known.good.Load() == p {
		return nil
	}
	r, _ := p.Record()
	g := &r.Generation
	switch {
	case known.n < g.Lowest:
		return known.refused(keystore.OutcomeRevoked, r.Owner)
	case t.secrets.tagged(known.tag, generation(r.ID, g.Seed, known.n, known.expires)):
		known.good.Store(p)
		known.extend.Store(t.extensionDue(&r).UnixMicro())
		return nil
	}
	if _, here := t.secrets.secret(g.Signer); !here {
		return t.lacks(ctx)
	}
	return known.refused(keystore.OutcomeWrongSecret, r.Owner)
}

func (p *proof) refused(outcome keystore.Outcome, owner string) error {
	return &keystore.RefusedError{Outcome: outcome, KeyID: p.session, Owner: owner}
}
