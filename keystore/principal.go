package keystore

import (
	"iter"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/claviger-go/claviger/keystore/internal/gcra"
	"github.com/claviger-go/claviger/scopes"
)

// Principal is who a request is, as a handler sees it. It is immutable and shared
// by all requests of the same credential.
type Principal struct {
	record *Record                   // as last read; never written
	parent *Principal                // whom it obeys as well; nil for most
	secret uint32                    // which of the record's secrets proved it; 0 for none
	use    *use                      // nil where nobody counts
	stands *atomic.Pointer[standing] // what was found last; nil where nobody asks
	bucket *gcra.Bucket              // what it owes to its rate; nil without one, or without Keys

	limited bool   // the record has limits to ask about
	rated   bool   // it has a rate, or one above it
	alias   string // the id by which an imported key was found
}

// NewPrincipal makes a Principal of a record that no store has, for verifiers of
// foreign credentials and for tests. Its uses are not counted; whether it is alive is
// asked by Admit.
func NewPrincipal(r Record) *Principal {
	r = r.clone()
	return &Principal{record: &r, limited: r.Limits.any(), rated: r.Limits.Rate != Rate{}}
}

// Kind tells what kind of credential was presented. Kinds are separate
// namespaces: compare owners and ids only within one.
func (p *Principal) Kind() Kind { return p.record.Kind }

// KeyID is the id of the key or client that stands behind the request, also
// where a token derived from it was presented. It is not secret.
func (p *Principal) KeyID() string { return p.holder().ID }

// holder is the record of the key or client behind a token, and else the record.
func (p *Principal) holder() *Record {
	for p.record.Kind == KindSession && p.parent != nil {
		p = p.parent
	}
	return p.record
}

// Session is the id of the session whose token was presented; "" for a key.
func (p *Principal) Session() string {
	if p.record.Kind != KindSession {
		return ""
	}
	return p.record.ID
}

// Owner is the account on whose behalf the request is made.
func (p *Principal) Owner() string { return p.record.Owner }

// Name is what people call the key.
func (p *Principal) Name() string { return p.holder().Name }

// Type is the policy under which the key was issued.
func (p *Principal) Type() string { return p.holder().Type }

// Env is live or test.
func (p *Principal) Env() Env { return p.record.Env }

// Scopes are what the credential was granted. Whether a request may do something
// is [Principal.Allows]; a token's parent counts too.
func (p *Principal) Scopes() scopes.Set { return p.record.Scopes }

// Expires is when the credential expires; zero: never.
func (p *Principal) Expires() time.Time {
	earliest := p.record.end(p.secret)
	if p.parent != nil {
		earliest = sooner(earliest, p.parent.Expires())
	}
	return earliest
}

// Deprecated reports whether the key was presented with a secret that has been
// rotated away: since when, and until when it works.
func (p *Principal) Deprecated() (since, until time.Time, ok bool) {
	r := p.record
	if p.secret == 0 || len(r.Secrets) < maxSecret || r.Secrets[0].N == p.secret {
		return time.Time{}, time.Time{}, false
	}
	return r.Secrets[0].Created, r.end(p.secret), true
}

// Meta returns one of the app's own notes on the key.
func (p *Principal) Meta(name string) (string, bool) {
	value, ok := p.holder().Meta[name]
	return value, ok
}

// AllMeta iterates over the app's notes on the key.
func (p *Principal) AllMeta() iter.Seq2[string, string] { return maps.All(p.holder().Meta) }

// nobody is a nil or zero principal: one who was granted nothing.
func (p *Principal) nobody() bool { return p == nil || p.record == nil }

// Allows reports whether the credential and everything it derives from were
// granted scope, for a check inside a handler. A nil principal is allowed nothing.
func (p *Principal) Allows(scope scopes.Scope) bool {
	if p.nobody() {
		return false
	}
	for ; p != nil; p = p.parent {
		if !p.record.Scopes.Covers(scope) {
			return false
		}
	}
	return true
}

// Limited reports whether where a request comes from matters to [Keys.Admit]: if
// not, Access.Remote, Browser, Method and Route may stay unset.
func (p *Principal) Limited() bool {
	for ; p != nil; p = p.parent {
		if p.limited {
			return true
		}
	}
	return false
}

// by is the principal of a key under its other name: the same to all but Refresh.
func (p *Principal) by(alias string) *Principal {
	named := *p
	named.alias, named.stands = alias, new(atomic.Pointer[standing])
	return &named
}

func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// reading is a record as read at one time, with the principals it stands for.
type reading struct {
	record Record
	idle   time.Time // unused for too long from then on, as far as is known; zero: never
	keys   *Keys
	bucket *gcra.Bucket
	alone  []*Principal // without a parent: one for each secret, and one for none
	child  atomic.Pointer[Principal]
}

func newReading(r Record, k *Keys) *reading {
	rd := &reading{record: r, keys: k, bucket: newBucket(k.buckets, &r)}
	rd.alone = append(rd.alone, rd.newPrincipal(0, nil))
	for _, s := range r.Secrets {
		rd.alone = append(rd.alone, rd.newPrincipal(s.N, nil))
	}
	return rd
}

func (rd *reading) newPrincipal(secret uint32, parent *Principal) *Principal {
	return &Principal{
		record: &rd.record, parent: parent, secret: secret,
		limited: rd.record.Limits.any(), stands: new(atomic.Pointer[standing]),
		bucket: rd.bucket, rated: rd.bucket != nil || parent != nil && parent.rated,
		use: &use{
			keys: rd.keys, id: rd.record.ID, secret: secret,
			traced: rd.keys.usage.store != nil || rd.record.Limits.Services > 0,
		},
	}
}

// principal returns the one for a secret and a parent; they are made once.
func (rd *reading) principal(secret uint32, parent *Principal) *Principal {
	if parent == nil {
		i := slices.IndexFunc(rd.alone, func(p *Principal) bool { return p.secret == secret })
		return rd.alone[i] // life has asked for the secret
	}
	if p := rd.child.Load(); p != nil && p.parent == parent && p.secret == secret {
		return p
	}
	p := rd.newPrincipal(secret, parent)
	rd.child.Store(p)
	return p
}
