package tokens

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/keystore/internal/credential"
)

// Config adjusts [Tokens]. The zero value is safe, and asks for Keys that have a ring:
// JWTs signed with HS256 that live for an hour.
type Config struct {
	_ struct{}

	// Issuer is the claim iss of every JWT: the URL of the service that issues them. A
	// JWT of another issuer is not ours. Defaults to none.
	Issuer string
	// Audience is the service that tokens are for if a request names none: what it
	// calls itself in middleware.Config.Audience. Defaults to none: tokens are for every
	// service that may accept the credential.
	Audience string

	// Type is typ in the header of JWTs. Defaults to "at+jwt" (RFC 9068).
	Type string
	// OmitKeyID leaves kid out of the header of JWTs, so that it is exactly
	// {"alg":"HS256","typ":…}; every secret of the ring is then tried, and a token under
	// one that is not deployed here yet is refused. Only for HS256. Defaults to false.
	OmitKeyID bool
	// Opaque hands out tokens that say nothing to those who hold them, in place of
	// JWTs. Either kind is accepted. Defaults to false.
	Opaque bool
	// Brand starts opaque tokens: 1 to 16 of [a-z0-9]. Defaults to "at".
	Brand string

	// Lifetime is how long a token lives, rounded up to the second; never longer than
	// the credential that it is exchanged for. Defaults to 1 h.
	Lifetime time.Duration
	// RenewBefore is how long before its expiry a token is not handed out again, but
	// another that lives longer, while the first lives out its time; at most half of
	// Lifetime. Negative: it is handed out to the end. Defaults to 5 minutes, or half
	// of Lifetime.
	RenewBefore time.Duration
	// SessionLifetime bounds a session, however often it is renewed: no token of it
	// expires later, and a login after that begins another. At least Lifetime.
	// Defaults to no bound.
	SessionLifetime time.Duration
	// IdleTimeout ends a session whose tokens were not used for so long: at least a
	// minute. While a session is in use its record is written about eight times in that
	// time, by a request that waits for it at most 250 ms. Defaults to none.
	IdleTimeout time.Duration

	// MaxSessions is how many live sessions there can be of one credential, and of one
	// owner without a credential: more are [keystore.ErrQuota]. Negative: any number.
	// Defaults to 1,000.
	MaxSessions int

	// Ring is what tokens are derived from. One of its own can lose a secret that has
	// leaked at once, and no API key dies with it. A secret that goes ends its tokens;
	// one that is new is added last, deployed everywhere, then moved first. Defaults to
	// the ring of the Keys.
	Ring keystore.Ring
	// SigningKeys sign JWTs by EdDSA or RS256 in place of HS256: the first one does, and
	// all are published and verify. To rotate, add a new one last, deploy that
	// everywhere, move it first, and drop the old one once its tokens have expired. A
	// change from none to some, or back, ends the JWTs that are out. Defaults to none.
	SigningKeys []SigningKey
	// DroppedKeys are names of ring secrets and signing keys that were dropped because
	// they leaked. Tokens that name one are refused, so that clients ask for others;
	// without a word of it they are [keystore.ErrUnavailable] as long as their session
	// stands: the key might be one that is not deployed here yet. Defaults to none.
	DroppedKeys []string

	// PruneInterval is how often [Tokens.Prune] runs. Negative: never by itself.
	// Defaults to 10 minutes.
	PruneInterval time.Duration
	// CacheEntries bounds how many tokens are remembered as genuine, at about 1 kB
	// each. Defaults to 100,000.
	CacheEntries int
}

func defaults(c *Config) {
	set(&c.Type, "at+jwt")
	set(&c.Brand, "at")
	set(&c.Lifetime, time.Hour)
	set(&c.RenewBefore, min(5*time.Minute, c.Lifetime/2))
	set(&c.MaxSessions, 1000)
	set(&c.PruneInterval, 10*time.Minute)
	set(&c.CacheEntries, 100_000)
	c.SigningKeys, c.DroppedKeys = slices.Clone(c.SigningKeys), slices.Clone(c.DroppedKeys)
}

func set[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// problems reports every mistake but those in keys and ring.
func (c *Config) problems() error {
	var problems []error
	bad := func(field string, value any, want string) {
		problems = append(problems, &keystore.ConfigError{Field: "tokens: Config." + field, Value: value, Want: want})
	}
	for _, f := range []struct {
		field, value string
		limit        int
	}{{"Issuer", c.Issuer, 256}, {"Audience", c.Audience, 256}, {"Type", c.Type, 64}} {
		if len(f.value) > f.limit || !visible(f.value) {
			bad(f.field, fmt.Sprintf("%.64q", f.value), fmt.Sprintf("at most %d bytes of visible ASCII", f.limit))
		}
	}
	if !credential.ValidBrand(c.Brand) {
		bad("Brand", fmt.Sprintf("%.64q", c.Brand), "1 to 16 of [a-z0-9]")
	}
	if c.OmitKeyID && len(c.SigningKeys) > 0 {
		bad("OmitKeyID", true, "false beside SigningKeys, which are told apart by their names")
	}
	switch {
	case c.Lifetime < time.Second:
		bad("Lifetime", c.Lifetime, "at least 1s")
	case c.RenewBefore > c.Lifetime/2:
		bad("RenewBefore", c.RenewBefore, "at most half of Lifetime, or negative for never")
	}
	if c.SessionLifetime != 0 && c.SessionLifetime < c.Lifetime {
		bad("SessionLifetime", c.SessionLifetime, "at least Lifetime, or 0 for no bound")
	}
	if c.IdleTimeout != 0 && c.IdleTimeout < time.Minute {
		bad("IdleTimeout", c.IdleTimeout, "at least 1m, or 0 for none")
	}
	if c.PruneInterval >= 0 && c.PruneInterval < time.Second {
		bad("PruneInterval", c.PruneInterval, "at least 1s, or negative for never")
	}
	if c.CacheEntries < 1 || c.CacheEntries > 100_000_000 {
		bad("CacheEntries", c.CacheEntries, "1 to 100,000,000")
	}
	return errors.Join(problems...)
}

func visible(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}
