package keystore

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/claviger-go/claviger/keystore/internal/cache"
	"github.com/claviger-go/claviger/keystore/internal/credential"
	"github.com/claviger-go/claviger/keystore/internal/hash"
)

// Verifier proves who presented a credential. *Keys is one.
type Verifier interface {
	// Verify returns the principal of a credential that is genuine and alive.
	//
	// The error is ErrUnrecognized if the text has not this verifier's form, a
	// *RefusedError if it is no good; any other wraps ErrUnavailable.
	Verify(ctx context.Context, credential string) (*Principal, error)
}

// refusalTime is how long a refusal is remembered: long enough against a client
// that tries again in a loop, too short to hold a new key back.
const refusalTime = time.Second

// maxForeign bounds what is hashed of a foreign key.
const maxForeign = 4096

// digest is SHA-256 of the part of a text that divide calls its tail.
type digest [sha256.Size]byte

// divide splits a credential of ours into its public head and its last 55 bytes,
// which hold all of its secret and fit one block of SHA-256; that is a fifth of
// what a request costs. A foreign text is secret throughout.
func divide(text string, ours bool) (head, tail string) {
	if !ours {
		return "", text
	}
	const block = 55
	return text[:len(text)-block], text[len(text)-block:]
}

// proof is what hashing found once and for all: the text with this digest is that
// secret of that record, as long as the record still has it with this hash.
type proof struct {
	head   string
	id     string
	secret uint32
	hash   string

	// standing is how the record stood when it was last asked.
	standing atomic.Pointer[standing]
}

// refusal remembers that a text was no good at a time, unless anything changed
// since.
type refusal struct {
	head    string
	outcome Outcome
	at      time.Time
	changes uint64
}

// Verify implements [Verifier] for API keys, and with [Config.AcceptForeign] for
// imported ones. What it found is remembered, at most MaxStaleness old; a hit
// costs one SHA-256 and one look into a map, and allocates nothing. Nobody is
// throttled: see VerifyFrom.
func (k *Keys) Verify(ctx context.Context, text string) (*Principal, error) {
	return k.VerifyFrom(ctx, text, nil)
}

// VerifyFrom is Verify for a text that a client presented, of whom remote tells the
// address, and whether that is certain: it is not if the peer forwards for others and
// nobody has said that it may. Of a network that presents many wrong credentials some
// are refused unread with [OutcomeThrottled], as [Throttle] says. remote is called
// only for texts of which nothing is known; nil is nobody, and nobody is throttled.
//
// What these Keys do not know and another verifier may (the error is
// [ErrUnrecognized]) is counted by [Keys.CountRefused].
func (k *Keys) VerifyFrom(ctx context.Context, text string, remote func() (addr netip.Addr, certain bool)) (*Principal, error) {
	shaped := credential.Shaped(text, k.config.Brand)
	if !shaped && !k.foreign(text) {
		return nil, ErrUnrecognized
	}
	now := k.config.Now()
	head, tail := divide(text, shaped)
	d := digest(sha256.Sum256(credential.Bytes(tail)))
	known, ok := k.proofs.Get(d)
	if !ok || known.head != head {
		return k.verifyNew(ctx, text, now, remote)
	}
	s := known.standing.Load()
	if s == nil || !s.holds(now) {
		changes := k.changes.Load()
		e, err := k.records.Load(ctx, known.id, now)
		if err != nil {
			no := &RefusedError{Outcome: OutcomeUnknown, KeyID: known.id}
			return nil, k.answer(err, d, refusal{head: known.head, at: now, changes: changes}, no)
		}
		if !e.Value.holds(known) {
			return k.verifyNew(ctx, text, now, remote) // hashed anew, or rotated away
		}
		if s, err = k.stand(ctx, e, known.secret, now, k.records.Load); err != nil {
			return nil, err
		}
		known.standing.Store(s)
	}
	s.principal.use.see(now)
	return s.principal, nil
}

// verifyNew verifies a text of which nothing is known, or nothing that still holds.
func (k *Keys) verifyNew(ctx context.Context, text string, now time.Time, remote func() (netip.Addr, bool)) (*Principal, error) {
	ours, ok := credential.Parse(text)
	if ok = ok && ours.Brand == k.config.Brand; !ok && !k.foreign(text) {
		return nil, ErrUnrecognized
	}
	head, tail := divide(text, ok)
	d := digest(sha256.Sum256(credential.Bytes(tail)))
	// Cloned, or the whole text would stay in memory with its parts.
	head, id := strings.Clone(head), strings.Clone(ours.ID)
	no := &RefusedError{Outcome: OutcomeUnknown, KeyID: id}
	if !ok {
		// A predecessor's text may have our grammar, under another brand. The digest
		// of a text that is no key of ours is nobody's business.
		ours, id = credential.Text{}, AliasID(d)
		no = &RefusedError{Outcome: OutcomeUnknown, form: ErrUnrecognized}
	}
	if outcome, refused := k.recentlyRefused(d, head, now); refused {
		no.Outcome = outcome
		return nil, no
	}
	if ok && !k.tagged(id) {
		return nil, no
	}
	from, watched := k.guesser(ctx, remote, now)
	if watched {
		if wait := k.guesses.networks.Admit(from, now); wait > 0 {
			no.Outcome, no.RetryAfter = OutcomeThrottled, wait
			return nil, no
		}
	}
	changes := k.changes.Load()
	found, e, err := k.find(ctx, d, ours, id, now)
	if err != nil {
		err = k.answer(err, d, refusal{head: head, at: now, changes: changes}, no)
		if watched && !errors.Is(err, ErrUnavailable) {
			if wrong := k.guesses.guess(from, head, d); ok {
				k.count(ctx, wrong)
			} else {
				no.form = wrong
			}
		}
		return nil, err
	}
	found.head = head
	k.proofs.Put(d, found)
	return k.living(ctx, e, found.secret, now, k.records.Load)
}

// find reads the record and proves the text by it. A no counts only if the record
// was read after the request began: its secrets may have changed elsewhere.
func (k *Keys) find(ctx context.Context, d digest, c credential.Text, id string, now time.Time) (*proof, *cache.Entry[*reading], error) {
	e, err := k.records.Load(ctx, id, now)
	if err != nil {
		return nil, nil, err
	}
	found, err := k.prove(ctx, d, c, &e.Value.record)
	if refused := (*RefusedError)(nil); !errors.As(err, &refused) || e.ReadSince(now) {
		return found, e, err
	}
	if e, err = k.records.LoadFresh(ctx, id, now); err != nil {
		return nil, nil, err
	}
	found, err = k.prove(ctx, d, c, &e.Value.record)
	return found, e, err
}

// foreign reports whether text may be a key that was made elsewhere.
func (k *Keys) foreign(text string) bool {
	return k.config.AcceptForeign && len(text) <= maxForeign && printable(text) && strings.Count(text, ".") != 2
}

func printable(text string) bool {
	for i := range len(text) {
		if text[i] <= ' ' || text[i] > '~' {
			return false
		}
	}
	return text != ""
}

func (k *Keys) tagged(id string) bool {
	if k.tagKey == nil || len(id) == credential.IDBytes && !k.config.RequireTaggedIDs {
		return true
	}
	return credential.Tagged(id, k.tagKey)
}

func (k *Keys) recentlyRefused(d digest, head string, now time.Time) (Outcome, bool) {
	r, ok := k.refused.Get(d)
	age, limit := now.Sub(r.at), min(refusalTime, k.config.MaxStaleness)
	if !ok || r.head != head || age < 0 || age >= limit || r.changes != k.changes.Load() {
		return "", false
	}
	return r.outcome, true
}

// answer turns what went wrong into what Verify says, and remembers a no.
func (k *Keys) answer(err error, d digest, r refusal, no *RefusedError) error {
	var refused *RefusedError
	switch {
	case errors.Is(err, ErrNotFound):
		k.proofs.Remove(d)
	case errors.As(err, &refused):
		no.Outcome = refused.Outcome
	default:
		return unavailable(err)
	}
	r.outcome = no.Outcome
	k.refused.Put(d, r)
	return no
}

// read asks the store on behalf of verification. What it cannot enforce it cannot
// answer for.
func (k *Keys) read(ctx context.Context, id string) (*reading, error) {
	r, err := k.ask(ctx, id)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(r.checkSecrets(), r.Limits.Rate.check()); err != nil {
		err = fmt.Errorf("keystore: the record %s: %w", r.ID, err)
		k.fault(ctx, err)
		return nil, err
	}
	rd := newReading(r, k)
	return rd, k.readUse(ctx, rd)
}

// ask is the one place that looks records up. The record is ours.
func (k *Keys) ask(ctx context.Context, id string) (Record, error) {
	if !validID(id) {
		return Record{}, ErrNotFound
	}
	r, err := k.store.Lookup(ctx, id)
	if err != nil {
		return Record{}, err
	}
	if r.ID != id {
		// A desynchronized connection handed out somebody else's answer.
		err = fmt.Errorf("keystore: the store answered a Lookup of %q with the record %q", cut(id), cut(r.ID))
		k.fault(ctx, err)
		return Record{}, err
	}
	return r.clone(), nil
}

// checkSecrets refuses secrets that could not be told apart by their numbers: the
// proof of one would outlive it.
func (r *Record) checkSecrets() error {
	if len(r.Secrets) > maxSecret {
		return fmt.Errorf("%d secrets: at most %d", len(r.Secrets), maxSecret)
	}
	for i, s := range r.Secrets {
		if s.N == 0 || i > 0 && s.N == r.Secrets[0].N {
			return fmt.Errorf("a secret numbered %d: want 1 or more, each once", s.N)
		}
	}
	return nil
}

// holds reports whether the record still has what p proved.
func (rd *reading) holds(p *proof) bool {
	if p.hash == "" {
		return rd.record.provenByDigest()
	}
	s, ok := rd.record.secret(p.secret)
	return ok && s.Hash == p.hash
}

// provenByDigest reports whether a text proves the record by having its id as
// digest: an alias, and in a read-only store of digests the key itself.
func (r *Record) provenByDigest() bool {
	return r.Kind == KindAlias && r.Parent != "" || r.Kind == KindAPIKey && len(r.Secrets) == 0
}

// prove finds the secret of the record that the text shows.
func (k *Keys) prove(ctx context.Context, d digest, c credential.Text, r *Record) (*proof, error) {
	found := &proof{id: r.ID}
	switch {
	case c.ID == "":
		if !r.provenByDigest() {
			return nil, &RefusedError{Outcome: OutcomeUnknown, KeyID: r.ID}
		}
	case r.Kind != KindAPIKey || c.Env != string(r.Env):
		return nil, &RefusedError{Outcome: OutcomeWrongSecret, KeyID: r.ID}
	default:
		s, outdated, err := k.match(ctx, d, c, r)
		if err != nil {
			return nil, err
		}
		found.secret, found.hash = s.N, s.Hash
		// Once, or processes whose rings differ in order, as they do while a
		// rotation is deployed, would undo each other's work for ever.
		if _, again := k.proofs.Get(d); outdated && !again {
			found.hash = k.rehash(ctx, r, s, c)
		}
	}
	return found, nil
}

// match returns the stored secret that c shows. One that cannot be checked here
// leaves the other in force; if that one does not match, there is no answer.
func (k *Keys) match(ctx context.Context, d digest, c credential.Text, r *Record) (s StoredSecret, outdated bool, err error) {
	var failed error
	for _, s := range r.Secrets {
		ok, outdated, err := k.checkOnce(ctx, d, s.Hash, c)
		if ok {
			return s, outdated, nil
		}
		if err != nil {
			failed = fmt.Errorf("keystore: secret %d of %s: %w", s.N, r.ID, err)
		}
	}
	switch {
	case failed == nil:
		return StoredSecret{}, false, &RefusedError{Outcome: OutcomeWrongSecret, KeyID: r.ID}
	case !errors.Is(failed, hash.ErrBusy) && ctx.Err() == nil:
		k.fault(ctx, failed)
	}
	return StoredSecret{}, false, failed
}

// checkOnce shares a slow check among concurrent requests with the same text. It
// is a pure function of text and stored hash, and these are its key.
func (k *Keys) checkOnce(ctx context.Context, d digest, stored string, c credential.Text) (ok, outdated bool, err error) {
	if !hash.Slow(stored) {
		return k.hasher.CheckRandom(ctx, stored, c.ID, c.Secret)
	}
	type verdict struct{ ok, outdated bool }
	shared := context.WithoutCancel(ctx)
	result := k.proving.DoChan(string(d[:])+stored, func() (any, error) {
		ok, outdated, err := k.hasher.CheckRandom(shared, stored, c.ID, c.Secret)
		return verdict{ok, outdated}, err
	})
	select {
	case r := <-result:
		v, _ := r.Val.(verdict)
		return v.ok, v.outdated, r.Err
	case <-ctx.Done():
		return false, false, ctx.Err()
	}
}

// rehash stores the secret's hash as it would be made today, and returns the hash
// that stands then. Those who meet an outdated one together do it once; where it
// fails, the old hash still verifies.
func (k *Keys) rehash(ctx context.Context, r *Record, s StoredSecret, c credential.Text) string {
	if k.admin == nil {
		return s.Hash
	}
	ctx = context.WithoutCancel(ctx)
	stands, _, _ := k.proving.Do("rehash "+s.Hash, func() (any, error) {
		fresh, err := k.hasher.Random(ctx, c.ID, c.Secret)
		if err == nil {
			err = k.replaceHash(ctx, r.clone(), s.N, fresh)
		}
		switch {
		case err == nil:
			return fresh, nil
		case !errors.Is(err, ErrConflict) && !errors.Is(err, ErrRevoked):
			k.fault(ctx, fmt.Errorf("keystore: hashing secret %d of %s anew: %w", s.N, r.ID, err))
		}
		return s.Hash, nil
	})
	return stands.(string) //nolint:forcetypeassert // both returns above are strings
}

func (k *Keys) replaceHash(ctx context.Context, r Record, secret uint32, fresh string) error {
	ctx, cancel := context.WithTimeout(ctx, k.config.LookupTimeout)
	defer cancel()
	for i := range r.Secrets {
		if r.Secrets[i].N == secret {
			r.Secrets[i].Hash = fresh
		}
	}
	return k.update(ctx, &r)
}
