package tokens

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/scopes"
)

// MaxSessionIDBytes is how long a [Request.SessionID] may be.
const MaxSessionIDBytes = 256

// Request says which token is wanted. The zero value asks for one that may do all that
// the credential may.
type Request struct {
	_ struct{}

	// Client is the program that the token is for: the claim client_id, at most 256
	// bytes of text. Defaults to the client or key that is exchanged. A client may name
	// nobody but itself.
	Client string
	// Scopes are what the token may do, of what the credential may; with a catalog also
	// names of bundles. Defaults to all of it.
	Scopes []scopes.Scope
	// Audience is the service that may accept the token, of those that may accept the
	// credential. Defaults to Config.Audience, or else to what the credential has.
	Audience string
	// SessionID tells one session of the same credential from another: any bytes, at
	// most MaxSessionIDBytes. They are hashed and stored nowhere. Defaults to the one
	// session without an id.
	SessionID string
}

// draft is a session as it is about to begin, and until when it may last.
type draft struct {
	keystore.Record

	until time.Time // the credential's expiry, in whole seconds; zero: never
}

// draft draws up the session of a request.
func (t *Tokens) draft(p *keystore.Principal, q Request) (*draft, error) {
	parent, secret := p.Record()
	if err := t.check(p, &parent, &q); err != nil {
		return nil, err
	}
	granted, err := t.scopes(&parent, q.Scopes)
	if err != nil {
		return nil, err
	}
	audiences, err := t.audiences(&parent, q.Audience)
	if err != nil {
		return nil, err
	}
	d := &draft{Record: keystore.Record{
		Kind: keystore.KindSession, Parent: parent.ID, ParentSecret: secret, Owner: parent.Owner, Env: parent.Env,
		// Quotas count by type. Ids of more bytes share one with those that begin alike.
		Type: parent.ID[:min(len(parent.ID), 64)],
		Name: q.Client, Scopes: granted,
	}}
	own := ""
	if parent.ID == "" { // what applies to an owner stands in no other record
		d.Type, d.Limits, d.NotBefore, d.Meta = parent.Type, parent.Limits, parent.NotBefore, parent.Meta
		applies, err := json.Marshal(keystore.Record{Type: d.Type, Limits: d.Limits, NotBefore: d.NotBefore, Meta: d.Meta})
		if err != nil {
			return nil, invalid("the principal: %w", err)
		}
		own = string(applies)
	}
	d.Limits.Audiences = audiences
	fields := []string{
		"claviger session v1", string(d.Env), d.Owner, d.Parent, strconv.FormatUint(uint64(secret), 10), d.Name, granted.String(), q.SessionID, own,
	}
	d.ID = sessionID(append(fields, audiences...))
	if expires := p.Expires(); !expires.IsZero() {
		d.until = expires.Truncate(time.Second) // never later than the credential's
	}
	return d, nil
}

// check refuses what no token can be made of.
func (t *Tokens) check(p *keystore.Principal, parent *keystore.Record, q *Request) error {
	switch {
	case parent.Owner == "" && parent.Env == "":
		return &keystore.RefusedError{Outcome: keystore.OutcomeMissing}
	case parent.Kind == keystore.KindSession:
		return invalid("a token is exchanged for no other token")
	case parent.Owner == "":
		return invalid("the principal has no owner")
	case parent.ID != "" && !t.keys.Knows(p):
		return invalid("the principal is of another verifier; make one of its owner, without an ID")
	case parent.Kind == keystore.KindClient && q.Client != "" && q.Client != parent.ID:
		return invalid("the client %s asks for a token of another client", parent.ID)
	case len(q.SessionID) > MaxSessionIDBytes:
		return invalid("the session id has %d bytes: want at most %d", len(q.SessionID), MaxSessionIDBytes)
	}
	return nil
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: tokens: %w", keystore.ErrInvalid, fmt.Errorf(format, args...))
}

// sessionID collides with no id of another kind: those of keys have no colon, and those
// of aliases begin with "sha256:".
func sessionID(fields []string) string {
	var b []byte
	for _, field := range fields {
		b = appendField(b, field)
	}
	sum := sha256.Sum256(b)
	return sessionPrefix + hex.EncodeToString(sum[:])
}

const (
	sessionPrefix = "session:"
	sessionDigits = 2 * sha256.Size
)

// scopes are those asked for, all of which the credential has to have.
func (t *Tokens) scopes(parent *keystore.Record, asked []scopes.Scope) (scopes.Set, error) {
	if len(asked) == 0 {
		return parent.Scopes, nil
	}
	wanted, err := t.keys.Catalog().Grant(asked...)
	if err != nil {
		return scopes.Set{}, invalid("scopes: %w", err)
	}
	if parent.Scopes.Includes(wanted) {
		return wanted, nil
	}
	missing := slices.DeleteFunc(wanted.Scopes(), func(s scopes.Scope) bool {
		one, err := scopes.NewSet(s)
		return err == nil && parent.Scopes.Includes(one) // "*" is an error, and missing
	})
	return scopes.Set{}, &keystore.RefusedError{Outcome: keystore.OutcomeScopeMissing, KeyID: parent.ID, Owner: parent.Owner, Missing: missing}
}

// audiences are whom the token is for: nobody whom the credential is not for.
func (t *Tokens) audiences(parent *keystore.Record, asked string) ([]string, error) {
	allowed := parent.Limits.Audiences
	fits := func(audience string) bool { return allowed == nil || slices.Contains(allowed, audience) }
	switch {
	case asked != "" && fits(asked):
		return []string{asked}, nil
	case asked != "":
		return nil, &keystore.RefusedError{Outcome: keystore.OutcomeAudienceRefused, KeyID: parent.ID, Owner: parent.Owner}
	case t.config.Audience != "" && fits(t.config.Audience):
		return []string{t.config.Audience}, nil
	}
	return allowed, nil
}
