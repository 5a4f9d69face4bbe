package tokens

import (
	"context"
	"iter"
	"time"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/scopes"
)

// Of says whose sessions are meant. A zero field is anybody.
type Of struct {
	Owner string
	KeyID string // of a key or client
}

func (of Of) filter() keystore.Filter {
	return keystore.Filter{Kind: keystore.KindSession, Owner: of.Owner, Parent: of.KeyID}
}

// Session is a session as a list shows it. It holds no secret.
type Session struct {
	ID        string // for [Tokens.End]
	Owner     string
	KeyID     string // of the key or client behind it; "" for an owner
	Client    string
	Scopes    scopes.Set
	Audiences []string

	Began     time.Time
	Renewed   time.Time // when its newest token was made
	Expires   time.Time // when the last of its tokens does, or it becomes idle
	Suspended bool
}

// Sessions yields the sessions that are not over, newest first. Some may hang on a key
// that counts no more. An error is the last that it yields; errors are those of
// [keystore.Keys.List].
func (t *Tokens) Sessions(ctx context.Context, of Of) iter.Seq2[Session, error] {
	return func(yield func(Session, error) bool) {
		for r, err := range t.keys.All(ctx, of.filter()) {
			if err != nil {
				yield(Session{}, err)
				return
			}
			if t.over(&r) {
				continue
			}
			if !yield(newSession(&r), nil) {
				return
			}
		}
	}
}

func newSession(r *keystore.Record) Session {
	return Session{
		ID: r.ID, Owner: r.Owner, KeyID: r.Parent, Client: r.Name, Scopes: r.Scopes, Audiences: r.Limits.Audiences,
		Began: r.Created, Renewed: r.Generation.Issued, Expires: r.Expires, Suspended: !r.Suspended.IsZero(),
	}
}
