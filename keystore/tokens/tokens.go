package tokens

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/keystore/internal/cache"
)

// Tokens issues tokens, verifies them as a [keystore.Verifier], and ends them. Make one
// with [New], on the Keys that the app has.
//
// Safe for concurrent use. While open it runs one goroutine, which prunes;
// [Tokens.Close] ends it.
type Tokens struct {
	keys    *keystore.Keys
	config  Config
	secrets *secrets
	proofs  *cache.LRU[digest, *proof]

	strangers budget
	told      atomic.Int64 // Unix second when somebody was last told of a key that is missing here

	stop   context.CancelFunc
	closed sync.Once
	ended  sync.WaitGroup
}

// New returns Tokens of these keys. Every mistake in config is reported at once, as
// joined [*keystore.ConfigError] values. Nothing is read or written yet.
func New(keys *keystore.Keys, config Config) (*Tokens, error) {
	if keys == nil {
		return nil, &keystore.ConfigError{Field: "tokens: keys", Value: "nil", Want: "the *keystore.Keys of the app"}
	}
	defaults(&config)
	secrets, err := newSecrets(keys, &config)
	if err := errors.Join(config.problems(), err); err != nil {
		return nil, err
	}
	t := &Tokens{
		keys: keys, config: config, secrets: secrets,
		proofs: cache.NewLRU[digest, *proof](config.CacheEntries, func(d digest) uint64 { return binary.LittleEndian.Uint64(d[:]) }),
	}
	running, stop := context.WithCancel(context.Background())
	t.stop = stop
	if config.PruneInterval > 0 {
		t.ended.Go(func() { t.runPruning(running) })
	}
	return t, nil
}

// Close ends the pruning. All else goes on as before. Closing twice is nothing.
func (t *Tokens) Close() error {
	t.closed.Do(func() {
		t.stop()
		t.ended.Wait()
	})
	return nil
}

// JWKS is the document by which others verify the JWTs (RFC 7517): the public
// SigningKeys; none of them with HS256.
func (t *Tokens) JWKS() []byte { return append([]byte{}, t.secrets.published...) }
