package keystore

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/claviger-go/claviger/keystore/internal/cache"
	"github.com/claviger-go/claviger/keystore/internal/credential"
	"github.com/claviger-go/claviger/keystore/internal/gcra"
	"github.com/claviger-go/claviger/keystore/internal/hash"
	"github.com/claviger-go/claviger/keystore/internal/misuse"
	"github.com/claviger-go/claviger/scopes"
)

// Config adjusts [Keys]. The zero value is safe: salted SHA-256, no foreign keys,
// answers at most five seconds old.
type Config struct {
	_ struct{}

	// Brand starts every credential: 1 to 16 of [a-z0-9]. Credentials of another
	// brand are not ours. Defaults to "sk".
	Brand string

	// Ring hashes under secrets held outside the store. Defaults to none: salted
	// SHA-256, which 256 random bits need no more than.
	Ring Ring

	// TagSecret (32 bytes in base64, see [GenerateSecret]) makes ids carry a tag,
	// so that well-formed junk never reaches the store. It guards the store's
	// peace and no key: it is not in the ring and never rotated. Defaults to none.
	TagSecret Secret
	// RequireTaggedIDs refuses ids without a tag; for when no older ones are
	// left. It needs TagSecret. Defaults to false.
	RequireTaggedIDs bool

	// SlowHash hashes keys with argon2id (in FIPS mode PBKDF2), as a policy may
	// demand; random keys gain nothing by it. Defaults to false.
	SlowHash bool
	// ConcurrentHashes is how many slow hashes (19 MiB and about 50 ms each) run
	// at a time, in goroutines of their own; about as many again as fit into a
	// second may wait, more are [ErrUnavailable]. Defaults to the number of
	// cores, at most 4.
	ConcurrentHashes int

	// Catalog names the scopes that exist; others are then errors at issue and
	// when a route is built. Defaults to none: every well-formed scope.
	Catalog *scopes.Catalog

	// AcceptForeign verifies imported keys ([Keys.Import]) as well: texts that are
	// neither credentials of ours nor three segments like a JWT. Each new such
	// text then costs a Lookup. Defaults to false.
	AcceptForeign bool

	// MaxStaleness bounds how long a change made elsewhere (a revocation, a
	// suspension, fewer scopes) may go unnoticed, also when the store can neither
	// tell nor be asked. Changes made through these Keys count at once. Negative:
	// every request reads. Defaults to 5 s.
	MaxStaleness time.Duration
	// LookupTimeout bounds one read for verification. Defaults to 250 ms.
	LookupTimeout time.Duration
	// CacheEntries bounds how many credentials, and how many records, are
	// remembered, at about 1 kB each. Defaults to 100,000.
	CacheEntries int
	// UsageInterval is how often counted uses are written to a store that keeps
	// usage, and so how much of them a crash loses. Defaults to 10 s.
	UsageInterval time.Duration

	// DefaultLifetime is how long a key lives whose Spec names no Expires.
	// Defaults to MaxLifetime.
	DefaultLifetime time.Duration
	// MaxLifetime bounds how far ahead of now a key's expiry may be set. Keys that
	// exist are left as they are. Defaults to no bound: keys may live for ever.
	MaxLifetime time.Duration
	// RotateAfter is the age at which a secret should be rotated, for [Keys.Due]
	// and [EventDue]. Defaults to 90 days.
	RotateAfter time.Duration
	// ExpiryNotice is how long before its expiry a key is told of, by
	// [Keys.ExpiringWithin] and [EventExpiring]. Defaults to 14 days.
	ExpiryNotice time.Duration
	// RemindInterval is how often [Keys.Remind] runs while OnEvent is set: first
	// after ten minutes, or one interval if that is shorter. Negative: never.
	// Defaults to 24 h.
	RemindInterval time.Duration

	// Misuse says what follows from signs that a key is misused. Defaults to an event.
	Misuse MisusePolicy
	// Throttle slows down who guesses credentials and passwords. On by default.
	Throttle Throttle

	// OnEvent hears of every mutation made through these Keys, of reminders, and of
	// what was met in the background or that a person has to look into. Mutations
	// are told in the goroutine that made them, before they return, and reminders in
	// the one that looks for them. All else is told by a goroutine of its own, one
	// after the other, so that no request waits for it;
	// of more than 256 that wait some are dropped, which is told as well. It has to
	// be safe for concurrent use, to return, and not to call Close, which waits for
	// it; a panic in it is dropped. Defaults to nobody.
	OnEvent func(context.Context, Event)

	// Now is the clock. Defaults to time.Now.
	Now func() time.Time
}

// ConfigError is a mistake in a Config, one of those that New joins.
type ConfigError struct {
	Field string
	Value any // never a secret
	Want  string
}

func (e *ConfigError) Error() string {
	return fmt.Sprintf("%s is %v: want %s", e.Field, e.Value, e.Want)
}

// Keys issues, verifies and manages credentials that live in a store. It is the
// one object of this package that an app holds.
//
// Safe for concurrent use. While open it runs goroutines: one that watches the
// store, if the store is a [Watcher], one that writes usage, if it is a [UsageStore],
// with OnEvent one that delivers events and one that looks for keys to remind of, and
// one that suspends if Config.Misuse says so. [Keys.Close] ends them.
type Keys struct {
	config Config
	tagKey credential.TagKey
	hasher *hash.Hasher

	store KeyStore
	admin AdminStore // nil: read-only

	records *cache.Reader[*reading]
	proofs  *cache.LRU[digest, *proof]
	refused *cache.LRU[digest, refusal]
	// changes counts what may have made a remembered refusal wrong.
	changes atomic.Uint64
	proving singleflight.Group
	usage   *usageLog
	later   later

	misuse     *misuse.Watch
	suspicions chan suspicion
	opened     time.Time
	buckets    *gcra.Buckets
	rates      *rates   // nil: each process for itself
	guesses    *guesses // nil: nobody is throttled
	logins     *logins  // nil: likewise

	stop   context.CancelFunc
	closed sync.Once
	ended  sync.WaitGroup
}

// New opens Keys on a store. Every mistake in config is reported at once, as
// joined [*ConfigError] values. Nothing is read or written yet.
func New(store KeyStore, config Config) (*Keys, error) {
	defaults(&config)
	k := &Keys{config: config, store: store}
	if err := k.compile(); err != nil {
		return nil, err
	}
	k.admin, _ = store.(AdminStore)
	k.records = cache.NewReader(cache.Config[*reading]{
		Read:         k.read,
		Gone:         func(err error) bool { return errors.Is(err, ErrNotFound) },
		Now:          config.Now,
		MaxStaleness: config.MaxStaleness,
		Timeout:      config.LookupTimeout,
		Size:         config.CacheEntries,
	})
	spread := func(d digest) uint64 { return binary.LittleEndian.Uint64(d[:]) }
	k.proofs = cache.NewLRU[digest, *proof](config.CacheEntries, spread)
	k.refused = cache.NewLRU[digest, refusal](max(config.CacheEntries/10, 64), spread)

	k.opened = config.Now()
	k.buckets = gcra.NewBuckets(config.CacheEntries)
	if store, ok := store.(RateStore); ok {
		k.rates = &rates{store: store, now: config.Now, timeout: config.LookupTimeout, fault: k.fault}
	}
	if t := &config.Throttle; !t.DangerouslyOff {
		k.guesses, k.logins = newGuesses(t, k.opened), newLogins(t, k.opened)
	}

	usageStore, _ := store.(UsageStore)
	k.usage = newUsageLog(usageStore, config, k.fault)
	k.misuse = misuse.New(config.Misuse.Window, config.CacheEntries)
	if config.Misuse.suspends() {
		k.suspicions = make(chan suspicion, laterEvents)
	}
	if config.OnEvent != nil {
		k.later.queue = make(chan heard, laterEvents)
	}
	k.start()
	return k, nil
}

// start runs what happens in the background, once all is in place that it needs.
func (k *Keys) start() {
	running, stop := context.WithCancel(context.Background())
	k.stop = stop
	if watcher, ok := k.store.(Watcher); ok {
		k.ended.Go(func() { k.watch(running, watcher) })
	}
	if k.usage.store != nil {
		k.ended.Go(func() { k.usage.run(running) })
	}
	if k.suspicions != nil {
		k.ended.Go(func() { k.runSuspensions(running) })
	}
	if k.later.queue != nil {
		k.ended.Go(func() { k.runEvents(running) })
	}
	if k.config.OnEvent != nil && k.admin != nil && k.config.RemindInterval > 0 {
		k.ended.Go(func() { k.runReminders(running) })
	}
}

func defaults(c *Config) {
	set(&c.Brand, "sk")
	set(&c.ConcurrentHashes, min(runtime.NumCPU(), 4))
	set(&c.MaxStaleness, 5*time.Second)
	set(&c.LookupTimeout, 250*time.Millisecond)
	set(&c.CacheEntries, 100_000)
	set(&c.UsageInterval, 10*time.Second)
	set(&c.DefaultLifetime, c.MaxLifetime)
	set(&c.RotateAfter, 90*24*time.Hour)
	set(&c.ExpiryNotice, 14*24*time.Hour)
	set(&c.RemindInterval, 24*time.Hour)
	set(&c.Misuse.Window, 10*time.Minute)
	set(&c.Misuse.Windows, 3)
	c.Throttle.defaults()
	if c.Now == nil {
		c.Now = time.Now
	}
}

func set[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// compile checks the config and makes of it what verification needs.
func (k *Keys) compile() error {
	c := &k.config
	var problems []error
	bad := func(field string, value any, want string) {
		problems = append(problems, &ConfigError{"keystore: Config." + field, value, want})
	}
	if isNil(k.store) {
		problems = append(problems, &ConfigError{"keystore: store", "nil", "a KeyStore, such as memstore.New()"})
	}
	if !credential.ValidBrand(c.Brand) {
		bad("Brand", fmt.Sprintf("%q", cut(c.Brand)), "1 to 16 of [a-z0-9]")
	}
	if text := c.TagSecret.Reveal(); text != "" {
		key, err := decodeSecret(text)
		if err != nil {
			bad("TagSecret", redacted, err.Error())
		}
		k.tagKey = credential.NewTagKey(key)
	} else if c.RequireTaggedIDs {
		bad("RequireTaggedIDs", true, "a TagSecret beside it, or no credential would pass")
	}
	if c.ConcurrentHashes < 1 || c.ConcurrentHashes > 64 {
		bad("ConcurrentHashes", c.ConcurrentHashes, "1 to 64 (19 MiB each)")
	}
	if c.MaxStaleness > time.Hour {
		bad("MaxStaleness", c.MaxStaleness, "at most 1h: a revoked key passes for so long")
	}
	if c.LookupTimeout < time.Millisecond || c.LookupTimeout > time.Minute {
		bad("LookupTimeout", c.LookupTimeout, "1ms to 1m")
	}
	if c.CacheEntries < 1 || c.CacheEntries > 100_000_000 {
		bad("CacheEntries", c.CacheEntries, "1 to 100,000,000")
	}
	if c.UsageInterval < time.Millisecond || c.UsageInterval > time.Hour {
		bad("UsageInterval", c.UsageInterval, "1ms to 1h")
	}
	problems = append(problems, c.lifetimeProblems()...)
	_, writable := k.store.(AdminStore)
	c.Misuse.check(writable, bad)
	c.Throttle.check(bad)
	derived, names, err := c.Ring.derive("hash")
	if err != nil {
		problems = append(problems, err)
	}
	keys := make([]hash.Key, 0, len(names))
	for _, name := range names {
		keys = append(keys, hash.NewKey(name, derived[name]))
	}
	k.hasher = hash.New(keys, c.SlowHash, max(c.ConcurrentHashes, 1))
	return errors.Join(problems...)
}

// lifetimeProblems reports what about the policy for keys' lives cannot be.
func (c *Config) lifetimeProblems() (problems []error) {
	for _, d := range []struct {
		field string
		value time.Duration
		off   bool // what else the field may say
	}{
		{"MaxLifetime", c.MaxLifetime, c.MaxLifetime == 0},
		{"DefaultLifetime", c.DefaultLifetime, c.DefaultLifetime == c.MaxLifetime},
		{"RotateAfter", c.RotateAfter, false},
		{"ExpiryNotice", c.ExpiryNotice, false},
		{"RemindInterval", c.RemindInterval, c.RemindInterval < 0},
	} {
		if d.value < time.Minute && !d.off {
			problems = append(problems, &ConfigError{"keystore: Config." + d.field, d.value, "at least 1m"})
		}
	}
	if c.MaxLifetime > 0 && c.DefaultLifetime > c.MaxLifetime {
		problems = append(problems, &ConfigError{"keystore: Config.DefaultLifetime", c.DefaultLifetime, "at most MaxLifetime"})
	}
	return problems
}

// isNil also sees a nil pointer inside of an interface.
func isNil(store KeyStore) bool {
	if store == nil {
		return true
	}
	v := reflect.ValueOf(store)
	switch v.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Func, reflect.Slice, reflect.Chan, reflect.Interface:
		return v.IsNil()
	}
	return false
}

// Close ends the goroutines, writes what usage is still to be written, and counts
// no more. The answers of all methods stay what they were; only news of other
// processes are no longer heard, so that their changes take up to MaxStaleness.
// Closing twice is nothing.
func (k *Keys) Close() error {
	var err error
	k.closed.Do(func() {
		k.stop()
		k.ended.Wait()
		err = k.usage.close(context.Background())
	})
	return err
}

// Catalog returns the catalog of scopes; nil where every well-formed scope
// exists, which is how a nil catalog answers.
func (k *Keys) Catalog() *scopes.Catalog { return k.config.Catalog }

// Now is the time by the configured clock.
func (k *Keys) Now() time.Time { return k.config.Now() }

// watch hears what other processes change, as long as Keys is open.
func (k *Keys) watch(ctx context.Context, watcher Watcher) {
	const first = time.Second
	longest := max(k.config.MaxStaleness, first)
	for pause := first; ; pause = min(2*pause, longest) {
		began := time.Now()
		err := func() (err error) {
			defer func() {
				if p := recover(); p != nil {
					err = fmt.Errorf("it panicked: %v", p)
				}
			}()
			return cmp.Or(watcher.Watch(ctx, k.changed), errors.New("without an error"))
		}()
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > longest {
			pause = first // an outage of its own
		}
		k.changed()
		k.fault(ctx, fmt.Errorf("keystore: the store's Watch ended: %w", err))
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// changed makes ids stale; without ids, everything.
func (k *Keys) changed(ids ...string) {
	// Refusals last: one that was found in an older read must not count as newer.
	defer k.changes.Add(1)
	if len(ids) == 0 {
		k.records.DoubtAll()
		return
	}
	k.records.Evict(ids...)
}
