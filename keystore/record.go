package keystore

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/claviger-go/claviger/scopes"
)

// Kind tells what a record stands for. Kinds are separate namespaces: the client
// "1" is not the owner "1".
type Kind string

// The kinds of record.
const (
	KindAPIKey  Kind = "api_key" // an API key
	KindSession Kind = "session" // a login session or OAuth grant, with its tokens
	KindClient  Kind = "client"  // an OAuth client
	KindAlias   Kind = "alias"   // the digest under which an imported key is found
)

// Env separates live credentials from those for testing. It is part of the
// credential's text and of the record, and both have to agree.
type Env string

// The environments.
const (
	EnvLive Env = "live"
	EnvTest Env = "test"
)

// Reason says why a record was suspended or revoked. These are the usual ones;
// an app may use its own, at most 64 bytes.
type Reason string

// Reasons.
const (
	ReasonUnspecified Reason = "unspecified"
	ReasonRequested   Reason = "requested"   // its owner asked for it
	ReasonCompromised Reason = "compromised" // somebody else may hold it
	ReasonMisuse      Reason = "misuse"      // used against the terms
	ReasonSuperseded  Reason = "superseded"  // another one took its place
	ReasonOwner       Reason = "owner"       // the owner's account was closed or suspended

	ReasonServices Reason = "services" // of EventMisuse: more services use it than Limits.Services
	ReasonBrowser  Reason = "browser"  // of EventMisuse: a browser presented it, against Limits.ServerOnly
)

// Mark records that somebody suspended or revoked a record.
type Mark struct {
	At     time.Time `json:"at"`
	Reason Reason    `json:"reason,omitzero"`
	By     string    `json:"by,omitzero"` // the actor, as the app calls it
}

// IsZero reports whether the mark was never set.
func (m Mark) IsZero() bool { return m.At.IsZero() }

// Record is what a store keeps about a credential. Nothing in it can be used to
// log in.
//
// It encodes itself as JSON with a format number (see [Record.MarshalJSON]); an
// adapter stores that encoding and no selection of fields. What Keys writes takes
// at most about 1 MB; texts are UTF-8 without control characters, and those that
// List filters on have at most 256 bytes; times are from 1970 to 9999.
type Record struct { //nolint:recvcheck // json.Marshal takes one by value, Unmarshal cannot
	ID string `json:"id"` // 1 to 80 bytes of [0-9A-Za-z:]
	// Version grows by one with each Update. Keys begins with the time, in Unix
	// microseconds, so that an id used again repeats none. At most 2^53-1.
	Version uint64 `json:"version"`
	// Op is 16 hex digits, random, of the mutation that wrote the record last.
	// Never empty where Keys wrote it.
	Op   string `json:"op,omitzero"`
	Kind Kind   `json:"kind"`

	// Parent is the record that this one obeys and dies with; ParentSecret, if
	// not 0, is the one of its secrets that has to be alive as well.
	Parent       string `json:"parent,omitzero"`
	ParentSecret uint32 `json:"parent_secret,omitzero"`

	Owner  string     `json:"owner,omitzero"` // the account
	Type   string     `json:"type,omitzero"`  // a policy at issue, never a check at the door
	Env    Env        `json:"env,omitzero"`
	Name   string     `json:"name,omitzero"` // for people
	Scopes scopes.Set `json:"scopes,omitzero"`

	Secrets    []StoredSecret `json:"secrets,omitzero"` // newest first, at most two
	Generation Generation     `json:"generation,omitzero"`
	Limits     Limits         `json:"limits,omitzero"`
	Client     Client         `json:"client,omitzero"`
	Grant      Grant          `json:"grant,omitzero"`

	Created   time.Time `json:"created"` // List goes by it
	CreatedBy string    `json:"created_by,omitzero"`
	NotBefore time.Time `json:"not_before,omitzero"` // zero: at once
	Expires   time.Time `json:"expires,omitzero"`    // zero: never; expired from this instant on

	Suspended Mark `json:"suspended,omitzero"`
	Revoked   Mark `json:"revoked,omitzero"`

	Reminded Reminded `json:"reminded,omitzero"`

	Meta map[string]string `json:"meta,omitzero"` // the app's own notes
}

// StoredSecret is one secret of a record, hashed.
type StoredSecret struct {
	N       uint32    `json:"n"`    // counts up from 1, never reused within a record
	Hash    string    `json:"hash"` // PHC string
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires,omitzero"` // zero: with the record
}

// Generation is the state from which the tokens of a session are derived.
type Generation struct {
	N       uint32    `json:"n,omitzero"`
	Lowest  uint32    `json:"lowest,omitzero"` // the lowest n still accepted
	Issued  time.Time `json:"issued,omitzero"`
	Expires time.Time `json:"expires,omitzero"`
	Seed    []byte    `json:"seed,omitzero"`
	Signer  string    `json:"signer,omitzero"` // the name of the signing key
}

// Reminded is what [Keys.Remind] has told of a record, so that it tells it once.
type Reminded struct {
	Due      uint32    `json:"due,omitzero"`      // the number of the secret that is too old
	Expiring time.Time `json:"expiring,omitzero"` // the Expires that comes near
	Expired  time.Time `json:"expired,omitzero"`  // the Expires that has come
}

// Client is what a record of kind client says besides.
type Client struct {
	RedirectURIs []string `json:"redirect_uris,omitzero"`
	Grants       []string `json:"grants,omitzero"`
	Public       bool     `json:"public,omitzero"`
}

// Grant is what an OAuth grant remembers until its code is redeemed.
type Grant struct {
	RedirectURI string `json:"redirect_uri,omitzero"`
	Challenge   string `json:"challenge,omitzero"`
}

// clone copies the record so that nothing in it is shared.
func (r Record) clone() Record {
	r.Secrets = slices.Clone(r.Secrets)
	r.Generation.Seed = slices.Clone(r.Generation.Seed)
	r.Limits.Networks = slices.Clone(r.Limits.Networks)
	r.Limits.DeniedNetworks = slices.Clone(r.Limits.DeniedNetworks)
	r.Limits.Audiences = slices.Clone(r.Limits.Audiences)
	r.Limits.Methods = slices.Clone(r.Limits.Methods)
	r.Limits.Routes = slices.Clone(r.Limits.Routes)
	r.Client.RedirectURIs = slices.Clone(r.Client.RedirectURIs)
	r.Client.Grants = slices.Clone(r.Client.Grants)
	r.Meta = maps.Clone(r.Meta)
	return r
}

// secret returns the secret number n.
func (r *Record) secret(n uint32) (StoredSecret, bool) {
	for _, s := range r.Secrets {
		if s.N == n {
			return s, true
		}
	}
	return StoredSecret{}, false
}

// recordTime is one of the times in a record.
type recordTime struct {
	field string
	*time.Time
}

func (r *Record) times() []recordTime {
	all := []recordTime{
		{"Created", &r.Created},
		{"NotBefore", &r.NotBefore},
		{"Expires", &r.Expires},
		{"Suspended.At", &r.Suspended.At},
		{"Revoked.At", &r.Revoked.At},
		{"Generation.Issued", &r.Generation.Issued},
		{"Generation.Expires", &r.Generation.Expires},
		{"Reminded.Expiring", &r.Reminded.Expiring},
		{"Reminded.Expired", &r.Reminded.Expired},
	}
	for i := range r.Secrets {
		s := &r.Secrets[i]
		all = append(all, recordTime{"Secrets.Created", &s.Created}, recordTime{"Secrets.Expires", &s.Expires})
	}
	return all
}

// checkTimes refuses what RFC 3339 cannot write, and what normalize would turn
// into the zero time, which says "never".
func (r *Record) checkTimes() error {
	var problems []error
	for _, t := range r.times() {
		if y := t.UTC().Year(); !t.IsZero() && (y < earliest || y > latest) {
			problems = append(problems, fmt.Errorf("%s %v: want a year from %d to %d, or the zero time", t.field, t, earliest, latest))
		}
	}
	return errors.Join(problems...)
}

// normalize brings all times to what every store can hold (KS10).
func (r *Record) normalize() {
	for _, t := range r.times() {
		*t.Time = storable(*t.Time)
	}
}

func storable(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Microsecond)
}

// Sizes beyond which a field is refused, so that every store can hold it.
const (
	maxID     = 80
	maxShort  = 64  // type, reason, an HTTP method
	maxLabel  = 256 // owner, name, actor, audience, a key or value of Meta
	maxURI    = 2048
	maxSeed   = 64
	maxMeta   = 32
	maxList   = 64
	maxSecret = 2
	earliest  = 1970 // years
	latest    = 9999
)

// validate reports everything about the record that a store must not be given.
func (r *Record) validate() error {
	var problems []error
	bad := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }

	if !validID(r.ID) {
		bad("ID %q: want 1 to %d bytes of [0-9A-Za-z:]", cut(r.ID), maxID)
	}
	if r.Parent != "" && !validID(r.Parent) {
		bad("Parent %q: want 1 to %d bytes of [0-9A-Za-z:]", cut(r.Parent), maxID)
	}
	switch r.Kind {
	case KindAPIKey, KindSession, KindClient, KindAlias:
	default:
		bad("Kind %q: want one of the Kind constants", cut(string(r.Kind)))
	}
	if r.Env != EnvLive && r.Env != EnvTest {
		bad("Env %q: want %q or %q", cut(string(r.Env)), EnvLive, EnvTest)
	}
	text := func(field, s string, limit int) {
		if err := checkText(s, limit); err != nil {
			bad("%s %q: %w", field, cut(s), err)
		}
	}
	text("Owner", r.Owner, maxLabel)
	text("Type", r.Type, maxShort)
	text("Name", r.Name, maxLabel)
	text("CreatedBy", r.CreatedBy, maxLabel)
	text("Generation.Signer", r.Generation.Signer, maxShort)
	text("Grant.RedirectURI", r.Grant.RedirectURI, maxURI)
	text("Grant.Challenge", r.Grant.Challenge, maxLabel)
	for _, uri := range r.Client.RedirectURIs {
		text("Client.RedirectURIs:", uri, maxURI)
	}
	for _, grant := range r.Client.Grants {
		text("Client.Grants:", grant, maxShort)
	}
	for _, key := range slices.Sorted(maps.Keys(r.Meta)) {
		text("a key of Meta", key, maxLabel)
		text("a value of Meta", r.Meta[key], maxLabel)
	}
	for _, m := range []struct {
		field string
		mark  Mark
	}{{"Suspended", r.Suspended}, {"Revoked", r.Revoked}} {
		text(m.field+".Reason", string(m.mark.Reason), maxShort)
		text(m.field+".By", m.mark.By, maxLabel)
		if m.mark.IsZero() && (m.mark.Reason != "" || m.mark.By != "") {
			bad("%s.At is not set, but Reason or By is: want all or none", m.field)
		}
	}
	for _, list := range []struct {
		field       string
		size, limit int
	}{
		{"Client.RedirectURIs", len(r.Client.RedirectURIs), maxList},
		{"Client.Grants", len(r.Client.Grants), maxList},
		{"Generation.Seed", len(r.Generation.Seed), maxSeed},
		{"Meta", len(r.Meta), maxMeta},
		{"Secrets", len(r.Secrets), maxSecret},
	} {
		if list.size > list.limit {
			bad("%s has %d entries: at most %d", list.field, list.size, list.limit)
		}
	}
	if err := r.checkTimes(); err != nil {
		problems = append(problems, err)
	}
	problems = append(problems, r.Limits.problems()...)
	return errors.Join(problems...)
}

// validID is KS6.
func validID(id string) bool {
	if id == "" || len(id) > maxID {
		return false
	}
	for i := range len(id) {
		c := id[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != ':' {
			return false
		}
	}
	return true
}

// checkText accepts what every database and every log can hold.
func checkText(s string, limit int) error {
	switch {
	case len(s) > limit:
		return fmt.Errorf("%d bytes: at most %d", len(s), limit)
	case !utf8.ValidString(s):
		return errors.New("not UTF-8")
	case strings.ContainsFunc(s, unicode.IsControl):
		return errors.New("contains a control character")
	}
	return nil
}

// cut shortens what an error quotes.
func cut(s string) string {
	if len(s) > maxShort {
		return s[:maxShort] + "…"
	}
	return s
}
