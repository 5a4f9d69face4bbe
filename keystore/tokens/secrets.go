package tokens

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/keystore/tokens/internal/jwk"
)

// secrets is all that tokens are made and proven with. Nothing of it is in the store.
type secrets struct {
	ring      []ringSecret
	jwts      *jwk.Set // what JWTs are proven by
	published []byte
	makers    map[string]*maker // by name
	first     *maker            // makes what is new
	names     map[string]bool   // of secrets and keys
	dropped   map[string]bool   // names that are in use no more
}

// ringSecret is what is derived from one secret of the ring.
type ringSecret struct {
	name   string
	tag    mac // by which a token belongs to its record
	opaque mac
	hs256  *jwk.Signer
}

// maker makes the tokens of a session: with a ring secret, and with a signing key if
// there are any.
type maker struct {
	name   string // in Generation.Signer
	secret ringSecret
	jwt    *jwk.Signer
}

func newSecrets(keys *keystore.Keys, config *Config) (*secrets, error) {
	ring, err := deriveSecrets(config.Ring)
	if err == nil && len(ring) == 0 {
		ring, err = deriveSecrets(keys.Ring())
	}
	switch {
	case err != nil:
		return nil, err
	case len(ring) == 0:
		return nil, &keystore.ConfigError{
			Field: "tokens: Config.Ring", Value: "empty",
			Want: "a ring here or in keystore.Config, since tokens are derived from secrets that are not in the store: see keystore.ParseRing",
		}
	}
	s := &secrets{ring: ring, makers: map[string]*maker{}, names: map[string]bool{}, dropped: map[string]bool{}}
	if len(config.SigningKeys) > 0 {
		err = s.signWith(config.SigningKeys)
	} else {
		err = s.signWithRing()
	}
	for _, secret := range ring {
		s.names[secret.name] = true
	}
	for _, name := range config.DroppedKeys {
		s.dropped[name] = true
		if s.names[name] {
			err = errors.Join(err, &keystore.ConfigError{
				Field: "tokens: Config.DroppedKeys", Value: fmt.Sprintf("%.64q", name), Want: "names that are in use no more",
			})
		}
	}
	return s, err
}

func deriveSecrets(ring keystore.Ring) (all []ringSecret, err error) {
	var derived [3][]keystore.DerivedKey
	for i, purpose := range []string{"tag", "opaque", "HS256"} {
		if derived[i], err = ring.Derive("tokens " + purpose); err != nil {
			return nil, err
		}
	}
	for i, tag := range derived[0] {
		signer, err := jwk.NewSecret(tag.Name, []byte(derived[2][i].Key.Reveal()))
		if err != nil {
			return nil, err
		}
		all = append(all, ringSecret{tag.Name, newMAC(tag.Key), newMAC(derived[1][i].Key), signer})
	}
	return all, nil
}

// signWithRing has HS256 keys sign, which are derived from the ring.
func (s *secrets) signWithRing() (err error) {
	var all []*jwk.Key
	for _, secret := range s.ring {
		all = append(all, secret.hs256.Key)
		s.add(&maker{secret.name, secret, secret.hs256})
	}
	s.published = []byte(`{"keys":[]}`)
	if s.jwts, err = jwk.NewSet(all...); err != nil {
		return &keystore.ConfigError{Field: "tokens: Config.Ring", Value: fmt.Sprintf("of %d secrets", len(all)), Want: err.Error()}
	}
	return nil
}

// signWith has signing keys sign. A session names the ring secret besides: its tags are
// made with that.
func (s *secrets) signWith(keys []SigningKey) error {
	all, signers, problems := loadSigningKeys(keys)
	for _, key := range all {
		s.names[key.ID()] = true
	}
	for _, secret := range s.ring {
		for _, signer := range signers {
			m := &maker{secret.name + " " + signer.ID(), secret, signer}
			s.add(m)
			if len(m.name) > maxSigner {
				problems = append(problems, &keystore.ConfigError{
					Field: "tokens: Config.SigningKeys", Value: m.name,
					Want: fmt.Sprintf("shorter names: those of a ring secret and of a signing key have at most %d bytes together", maxSigner-1),
				})
			}
		}
	}
	var err error
	if s.jwts, err = jwk.NewSet(all...); err != nil {
		problems = append(problems, &keystore.ConfigError{Field: "tokens: Config.SigningKeys", Value: fmt.Sprintf("%d keys", len(keys)), Want: err.Error()})
	}
	if s.published, err = json.Marshal(s.jwts); err != nil {
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

// maxSigner is how long Generation.Signer may be.
const maxSigner = 64

func (s *secrets) add(m *maker) {
	if s.first == nil {
		s.first = m
	}
	s.makers[m.name] = m
}

// secret returns the ring secret that a session names.
func (s *secrets) secret(signer string) (ringSecret, bool) {
	name, _, _ := strings.Cut(signer, " ")
	for _, secret := range s.ring {
		if secret.name == name {
			return secret, true
		}
	}
	return ringSecret{}, false
}

// tagged reports whether a ring secret made the tag of this generation. It may be
// another than the session names today.
func (s *secrets) tagged(tag, generation string) bool {
	for _, secret := range s.ring {
		if secret.tag.matches(generation, tag) {
			return true
		}
	}
	return false
}
