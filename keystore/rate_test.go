package keystore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/scopes"
)

func rate(requests int, per time.Duration) keystore.Rate {
	return keystore.Rate{Requests: requests, Per: per}
}

// limitedTo is a spec whose key has a rate.
func limitedTo(r keystore.Rate) keystore.Spec {
	return keystore.Spec{Owner: "acme", Scopes: []scopes.Scope{"claims:read"}, Limits: keystore.Limits{Rate: r}}
}

func admitted(t testing.TB, keys *keystore.Keys, text string) (*keystore.Allowance, error) {
	t.Helper()
	a := access("claims:read")
	return keys.Admit(t.Context(), requireAccepted(t, keys, text), &a)
}

// T-016, T-024: so many at once, then one each time that a part of the period has passed; and what is left is told.
func TestRate_T016_UpToTheBurst(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		rate  keystore.Rate
		burst int
		each  time.Duration // until there is one more
	}{
		{rate: rate(1, time.Second), burst: 1, each: time.Second},
		{rate: rate(100, time.Minute), burst: 100, each: 600 * time.Millisecond},
		{rate: keystore.Rate{Requests: 100, Per: time.Minute, Burst: 3}, burst: 3, each: 600 * time.Millisecond},
		{rate: keystore.Rate{Requests: 100, Per: time.Minute, Burst: 1}, burst: 1, each: 600 * time.Millisecond},
		{rate: rate(7, time.Second), burst: 7, each: 142_858 * time.Microsecond}, // rounded up, so never too many
		{rate: rate(10_000, time.Second), burst: 10_000, each: 100 * time.Microsecond},
		{rate: rate(1, 24*time.Hour), burst: 1, each: 24 * time.Hour},
	} {
		t.Run(fmt.Sprint(tt.rate), func(t *testing.T) {
			t.Parallel()
			clock := newClock()
			keys := openKeys(t, newStub(), keystore.Config{Now: clock.Now})
			id, text := issue(t, keys, limitedTo(tt.rate))
			for n := range tt.burst {
				got, err := admitted(t, keys, text)
				require.NoError(t, err)
				require.Equal(t, &keystore.Allowance{Rate: tt.rate, Remaining: tt.burst - n - 1, Reset: tt.each}, got)
			}
			for range 3 {
				got, err := admitted(t, keys, text)
				require.Equal(t, &keystore.Allowance{Rate: tt.rate, Exceeded: true, Reset: tt.each}, got)
				require.Equal(t, &keystore.RefusedError{Outcome: keystore.OutcomeRateLimited, KeyID: id, Owner: "acme", RetryAfter: tt.each}, err)
			}
			clock.move(tt.each - time.Microsecond)
			_, err := admitted(t, keys, text)
			requireOutcome(t, err, keystore.OutcomeRateLimited)
			clock.move(time.Microsecond)
			_, err = admitted(t, keys, text)
			require.NoError(t, err)
			_, err = admitted(t, keys, text)
			requireOutcome(t, err, keystore.OutcomeRateLimited)
			clock.move(48 * time.Hour)
			got, err := admitted(t, keys, text)
			require.NoError(t, err)
			require.Equal(t, tt.burst-1, got.Remaining, "no more than the burst is saved up")
		})
	}
}

// Only what is admitted counts: who is refused for another reason, or looks, does not.
func TestRate_WhatCounts(t *testing.T) {
	t.Parallel()
	keys := openKeys(t, newStub(), keystore.Config{})
	_, text := issue(t, keys, limitedTo(rate(2, time.Hour)))
	p := requireAccepted(t, keys, text)
	require.False(t, p.Limited(), "where it comes from does not matter")
	wrong := access("claims:write")
	for range 5 {
		got, err := keys.Admit(t.Context(), p, &wrong)
		requireOutcome(t, err, keystore.OutcomeScopeMissing)
		require.Nil(t, got)
	}
	right := access("claims:read")
	for range 5 {
		require.NoError(t, p.Check(&right))
	}
	got, err := keys.Admit(t.Context(), p, &right)
	require.NoError(t, err)
	require.Equal(t, 1, got.Remaining)

	_, free := issue(t, keys, spec)
	got, err = admitted(t, keys, free)
	require.NoError(t, err)
	require.Nil(t, got, "no rate")
}

// T-120: the record is read again and again, by many, changed and hashed anew; the count goes on.
func TestRate_T120_SurvivesReading(t *testing.T) {
	t.Parallel()
	for _, staleness := range []time.Duration{-1, 5 * time.Second} {
		keys := openKeys(t, newStub(), keystore.Config{MaxStaleness: staleness})
		id, text := issue(t, keys, limitedTo(rate(500, 24*time.Hour)))
		var yes, no atomic.Int64
		var all sync.WaitGroup
		for worker := range 16 {
			all.Go(func() {
				for n := range 100 {
					a := access("claims:read")
					p, err := keys.Verify(t.Context(), text)
					if err != nil {
						t.Error(err)
						return
					}
					switch _, err := keys.Admit(t.Context(), p, &a); {
					case err == nil:
						yes.Add(1)
					case outcome(err) == keystore.OutcomeRateLimited:
						no.Add(1)
					}
					if worker == 0 && n%10 == 0 {
						_, _ = keys.Edit(t.Context(), id, func(r *keystore.Record) error {
							r.Name = fmt.Sprint(n)
							return nil
						})
					}
				}
			})
		}
		all.Wait()
		require.EqualValues(t, 500, yes.Load())
		require.EqualValues(t, 1100, no.Load())
	}
}

func outcome(err error) keystore.Outcome {
	refused, ok := errors.AsType[*keystore.RefusedError](err)
	if !ok {
		return ""
	}
	return refused.Outcome
}

// A rate that is edited counts at once, with what was used before.
func TestRate_Edited(t *testing.T) {
	t.Parallel()
	keys := openKeys(t, newStub(), keystore.Config{})
	id, text := issue(t, keys, limitedTo(rate(10, 10*time.Hour)))
	for range 5 {
		_, err := admitted(t, keys, text)
		require.NoError(t, err)
	}
	set := func(r keystore.Rate) {
		_, err := keys.Edit(t.Context(), id, func(record *keystore.Record) error {
			record.Limits.Rate = r
			return nil
		})
		require.NoError(t, err)
	}
	set(rate(6, 6*time.Hour))
	got, err := admitted(t, keys, text)
	require.NoError(t, err)
	require.Zero(t, got.Remaining)
	set(rate(2, 2*time.Hour))
	_, err = admitted(t, keys, text)
	requireOutcome(t, err, keystore.OutcomeRateLimited)
	set(keystore.Rate{})
	_, err = admitted(t, keys, text)
	require.NoError(t, err)
	_, err = keys.Edit(t.Context(), id, func(record *keystore.Record) error {
		record.Limits.Rate = rate(-1, time.Second)
		return nil
	})
	require.ErrorIs(t, err, keystore.ErrInvalid)
}

// All names of a key share its rate, and each of its parents has its own; the strictest is told.
func TestRate_Parents(t *testing.T) {
	t.Parallel()
	store := newStub()
	keys := openKeys(t, store, keystore.Config{AcceptForeign: true})
	rated := func(n int) func(*keystore.Record) {
		return func(r *keystore.Record) {
			r.Scopes = scopes.FullAccess()
			if n > 0 {
				r.Limits.Rate = rate(n, 24*time.Hour)
			}
		}
	}
	put(t, store, "top000000001", "", rated(4))
	put(t, store, "middle000001", "top000000001", rated(0))
	put(t, store, "child0000001", "middle000001", rated(3))
	put(t, store, "child0000002", "middle000001", rated(9))
	ask := func(id string) (*keystore.Allowance, error) {
		p, err := keys.Principal(t.Context(), id)
		require.NoError(t, err)
		a := access("claims:read")
		return keys.Admit(t.Context(), p, &a)
	}
	for _, step := range []struct {
		id      string
		rate    int // of the strictest
		left    int
		refuses string
	}{
		{"child0000001", 3, 2, ""},
		{"child0000002", 4, 2, ""},
		{"child0000001", 3, 1, ""}, // as much as the top: who was asked first
		{"top000000001", 4, 0, ""},
		{"child0000001", 4, 0, "top000000001"},
		{"child0000002", 4, 0, "top000000001"},
		{"child0000001", 3, 0, "child0000001"},
		{"middle000001", 4, 0, "top000000001"},
	} {
		got, err := ask(step.id)
		require.Equal(t, step.refuses != "", got.Exceeded, step)
		if step.refuses != "" {
			requireOutcome(t, err, keystore.OutcomeRateLimited)
			require.Equal(t, step.refuses, err.(*keystore.RefusedError).KeyID, step)
		} else {
			require.NoError(t, err)
		}
		require.Equal(t, step.rate, got.Rate.Requests, step)
		require.Equal(t, step.left, got.Remaining, step)
	}

	r, err := keys.Import(t.Context(), limitedTo(rate(2, time.Hour)), keystore.NewSecret(foreignText))
	require.NoError(t, err)
	for n := range 3 {
		p, err := keys.Principal(t.Context(), []string{r.ID, aliasID(foreignText)}[n%2])
		require.NoError(t, err)
		a := access("claims:read")
		_, err = keys.Admit(t.Context(), p, &a)
		require.Equal(t, n == 2, err != nil)
	}
}

// A principal that a foreign verifier brings counts by its id, apart from keys of ours; what its rate cannot be is no
// answer.
func TestRate_ForeignPrincipals(t *testing.T) {
	t.Parallel()
	counting := newCounting()
	keys := openKeys(t, counting, keystore.Config{})
	id, text := issue(t, keys, limitedTo(rate(1, time.Hour)))
	of := func(id string, kind keystore.Kind, r keystore.Rate) *keystore.Principal {
		record := limited(keystore.Limits{Rate: r})
		record.ID, record.Kind = id, kind
		return keystore.NewPrincipal(record)
	}
	a := access("claims:read")
	for _, p := range []*keystore.Principal{
		of("x y", keystore.KindAPIKey, rate(2, time.Hour)), of("x z", keystore.KindAPIKey, rate(2, time.Hour)),
		of("x z", keystore.KindClient, rate(2, time.Hour)), of(id, keystore.KindAPIKey, rate(2, time.Hour)),
	} {
		require.NoError(t, admit(t, keys, p, &a))
		require.NoError(t, admit(t, keys, p, &a))
		requireOutcome(t, admit(t, keys, p, &a), keystore.OutcomeRateLimited)
	}
	require.Zero(t, counting.asked.Load(), "the store does not know them")
	_, err := admitted(t, keys, text)
	require.NoError(t, err)

	for _, broken := range []keystore.Rate{rate(0, time.Hour), rate(-1, time.Hour), rate(1, 0), rate(1, -time.Hour), {Burst: 1}} {
		requireUnavailable(t, admit(t, keys, of("broken", keystore.KindAPIKey, broken), &a))
	}
}

// T-133: what a store says of a rate is checked before it is used.
func TestRate_StoredNonsense(t *testing.T) {
	t.Parallel()
	store := newStub()
	keys := openKeys(t, store, keystore.Config{MaxStaleness: -1})
	id, text := issue(t, keys, spec)
	for _, broken := range []keystore.Rate{rate(0, time.Hour), rate(-1, time.Hour), rate(1, 1), {Burst: 1}, rate(1<<40, time.Hour)} {
		store.bend(func(_ context.Context, _ string, ask func() (keystore.Record, error)) (keystore.Record, error) {
			r, err := ask()
			r.Limits.Rate = broken
			return r, err
		})
		_, err := keys.Verify(t.Context(), text)
		requireUnavailable(t, err)
		require.ErrorContains(t, err, id)
		require.ErrorContains(t, err, "Limits.Rate")
	}
}

// counting is a stub that counts requests for all processes.
type counting struct {
	*stub
	asked  atomic.Int64
	mu     sync.Mutex
	owed   map[string]time.Duration
	answer func(ctx context.Context) (owed time.Duration, taken bool, err error)
}

func newCounting() *counting { return &counting{stub: newStub(), owed: map[string]time.Duration{}} }

// Take never forgets: tests are quick.
func (c *counting) Take(ctx context.Context, id string, cost, limit time.Duration) (owed time.Duration, taken bool, err error) {
	c.asked.Add(1)
	c.mu.Lock()
	answer := c.answer
	c.mu.Unlock()
	if answer != nil {
		return answer(ctx)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.owed[id]+cost <= limit {
		c.owed[id] += cost
		return c.owed[id], true, nil
	}
	return c.owed[id], false, nil
}

func (c *counting) bendRates(answer func(ctx context.Context) (owed time.Duration, taken bool, err error)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answer = answer
}

// Processes that share a RateStore share a limit; it is asked of keys that have a rate, once this process admits.
func TestRateStore_Shared(t *testing.T) {
	t.Parallel()
	store, clock := newCounting(), newClock()
	config := keystore.Config{Now: clock.Now}
	here, there := openKeys(t, store, config), openKeys(t, store, config)
	id, text := issue(t, here, limitedTo(rate(10, 10*time.Second)))
	_, free := issue(t, here, spec)
	for n := range 10 {
		keys := here
		if n%2 == 1 {
			keys = there
		}
		got, err := admitted(t, keys, text)
		require.NoError(t, err)
		require.Equal(t, 9-n, got.Remaining, "of all together")
	}
	for _, keys := range []*keystore.Keys{here, there} {
		got, err := admitted(t, keys, text)
		require.Equal(t, &keystore.RefusedError{Outcome: keystore.OutcomeRateLimited, KeyID: id, Owner: "acme", RetryAfter: time.Second}, err)
		require.Equal(t, &keystore.Allowance{Rate: rate(10, 10*time.Second), Exceeded: true, Reset: time.Second}, got)
	}
	asked := store.asked.Load()
	require.EqualValues(t, 12, asked)
	for range 4 { // what is left here
		_, err := admitted(t, here, text)
		require.Error(t, err)
	}
	for range 20 {
		_, err := admitted(t, here, text)
		requireOutcome(t, err, keystore.OutcomeRateLimited)
	}
	require.Equal(t, asked+4, store.asked.Load(), "whoever is refused here asks nobody else")
	_, err := admitted(t, here, free)
	require.NoError(t, err)
	require.Equal(t, asked+4, store.asked.Load(), "without a rate nobody is asked")
}

// When the store cannot count, this process's own count stands: it fails neither open nor shut (see the limiters that
// failed open), is told once, and is left alone for a second.
func TestRateStore_Fails(t *testing.T) {
	t.Parallel()
	for desc, answer := range map[string]func(ctx context.Context) (time.Duration, bool, error){
		"error":                      func(context.Context) (time.Duration, bool, error) { return 0, false, errors.New("connection refused") },
		"hang":                       func(ctx context.Context) (time.Duration, bool, error) { <-ctx.Done(); return 0, false, ctx.Err() },
		"panic":                      func(context.Context) (time.Duration, bool, error) { panic("nil map") },
		"nothing owed, and taken":    func(context.Context) (time.Duration, bool, error) { return 0, true, nil },
		"nothing owed, and refused":  func(context.Context) (time.Duration, bool, error) { return 0, false, nil },
		"more owed than can be":      func(context.Context) (time.Duration, bool, error) { return 25 * time.Hour, true, nil },
		"less than nothing owed":     func(context.Context) (time.Duration, bool, error) { return -time.Hour, true, nil },
		"refused with room for more": func(context.Context) (time.Duration, bool, error) { return 2 * time.Hour, false, nil },
	} {
		t.Run(desc, func(t *testing.T) {
			t.Parallel()
			store, clock, heard := newCounting(), newClock(), new(events)
			keys := openKeys(t, store, keystore.Config{Now: clock.Now, OnEvent: heard.hear, LookupTimeout: 100 * time.Millisecond, RemindInterval: -1})
			_, text := issue(t, keys, limitedTo(rate(3, 3*time.Hour)))
			store.bendRates(answer)
			for n := range 3 {
				got, err := admitted(t, keys, text)
				require.NoError(t, err)
				require.Equal(t, 2-n, got.Remaining)
			}
			_, err := admitted(t, keys, text)
			requireOutcome(t, err, keystore.OutcomeRateLimited)
			require.EqualValues(t, 1, store.asked.Load(), "left alone")

			clock.move(time.Hour)
			_, err = admitted(t, keys, text)
			require.NoError(t, err)
			require.EqualValues(t, 2, store.asked.Load())
			store.bendRates(nil)
			clock.move(time.Hour)
			_, err = admitted(t, keys, text)
			require.NoError(t, err)
			store.bendRates(answer)
			clock.move(time.Hour)
			_, err = admitted(t, keys, text)
			require.NoError(t, err)
			require.NoError(t, keys.Close())
			faults := heard.faults()
			require.Len(t, faults, 2, "once, and once more after it had worked: %q", faults)
			for _, fault := range faults {
				require.True(t, strings.HasPrefix(fault, "keystore: the store cannot count requests, so that until it can each process limits rates by itself: "), fault)
			}
		})
	}
}

// A client that goes away says nothing about the store.
func TestRateStore_ClientGone(t *testing.T) {
	t.Parallel()
	store, heard := newCounting(), new(events)
	keys := openKeys(t, store, keystore.Config{OnEvent: heard.hear, RemindInterval: -1})
	_, text := issue(t, keys, limitedTo(rate(3, time.Hour)))
	p := requireAccepted(t, keys, text)
	store.bendRates(func(ctx context.Context) (time.Duration, bool, error) { <-ctx.Done(); return 0, false, ctx.Err() })
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	a := access("claims:read")
	_, err := keys.Admit(gone, p, &a)
	require.NoError(t, err, "it was counted here")
	store.bendRates(nil)
	_, err = keys.Admit(t.Context(), p, &a)
	require.NoError(t, err)
	require.EqualValues(t, 2, store.asked.Load())
	require.NoError(t, keys.Close())
	require.Empty(t, heard.faults())
}

// What a rate costs, and what no rate costs.
func TestRate_Allocations(t *testing.T) {
	keys := openKeys(t, newStub(), keystore.Config{})
	for want, s := range []keystore.Spec{spec, limitedTo(rate(10_000, time.Second))} {
		_, text := issue(t, keys, s)
		p := requireAccepted(t, keys, text)
		a := access("claims:read")
		require.Equal(t, want, int(testing.AllocsPerRun(200, func() {
			if _, err := keys.Admit(t.Context(), p, &a); err != nil {
				t.Fatal(err)
			}
		})))
	}
}
