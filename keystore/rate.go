package keystore

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/claviger-go/claviger/keystore/internal/gcra"
)

// Rate is how many requests a key may make: Requests per Per, of which Burst at
// once, and so at most Burst + Requests in any Per. The zero value limits nothing.
//
// One more request is admitted each time that Per divided by Requests has passed.
// Each process counts for itself, unless the store is a [RateStore].
type Rate struct {
	Requests int           `json:"requests"`       // 1 or more, at most 10,000 a second
	Per      time.Duration `json:"per"`            // whole seconds, at most 24 h
	Burst    int           `json:"burst,omitzero"` // at most Requests. 0: Requests
}

func (r Rate) check() error {
	const second = int64(time.Second)
	switch {
	case r == Rate{}:
		return nil
	case r.Per < time.Second || r.Per > 24*time.Hour || r.Per%time.Second != 0:
		return fmt.Errorf("Limits.Rate.Per is %v: want whole seconds, 1s to 24h", r.Per)
	case r.Requests < 1 || int64(r.Requests) > 10_000*(int64(r.Per)/second):
		return fmt.Errorf("Limits.Rate.Requests is %d per %v: want 1 to 10,000 per second", r.Requests, r.Per)
	case r.Burst < 0 || r.Burst > r.Requests:
		return fmt.Errorf("Limits.Rate.Burst is %d: want 1 to Requests, or 0 for Requests", r.Burst)
	}
	return nil
}

// cost is what a request adds to what its key owes, and limit what it may owe. Both
// are whole microseconds, cost rounded up.
func (r Rate) cost() time.Duration {
	each := (r.Per + time.Duration(r.Requests) - 1) / time.Duration(r.Requests)
	return (each + time.Microsecond - 1).Truncate(time.Microsecond)
}

func (r Rate) limit() time.Duration {
	burst := r.Burst
	if burst == 0 {
		burst = r.Requests
	}
	return time.Duration(burst) * r.cost()
}

// Allowance is what a key's [Rate] says to one request.
type Allowance struct {
	Rate      Rate
	Exceeded  bool          // the request is refused, and not counted
	Remaining int           // requests that are admitted at once after this one
	Reset     time.Duration // until there is one more
}

func (r Rate) allowance(owed time.Duration, taken bool) *Allowance {
	cost, left := r.cost(), r.limit()-owed
	return &Allowance{Rate: r, Exceeded: !taken, Remaining: int(left / cost), Reset: cost - left%cost}
}

// strictest is the one of two that refuses, or is sooner used up. a may be nil.
func strictest(a, b *Allowance) *Allowance {
	switch {
	case a == nil, b.Exceeded, b.Remaining < a.Remaining, b.Remaining == a.Remaining && b.Reset > a.Reset:
		return b
	}
	return a
}

// spend asks the rates of p and of its parents, from p upwards. What a parent refuses
// has counted for those below it.
func (k *Keys) spend(ctx context.Context, p *Principal) (all *Allowance, err error) {
	for q := p; q != nil; q = q.parent {
		if q.record.Limits.Rate == (Rate{}) {
			continue
		}
		one, err := k.spendOne(ctx, q)
		if err != nil {
			return nil, err
		}
		if all = strictest(all, one); one.Exceeded {
			return one, &RefusedError{Outcome: OutcomeRateLimited, KeyID: q.record.ID, Owner: q.record.Owner, RetryAfter: one.Reset}
		}
	}
	return all, nil
}

// spendOne asks this process first, which always can tell, and then all.
func (k *Keys) spendOne(ctx context.Context, p *Principal) (*Allowance, error) {
	rate, bucket := p.record.Limits.Rate, p.bucket
	if bucket == nil { // of nobody's store
		if err := rate.check(); err != nil {
			return nil, unavailable(err)
		}
		bucket = k.buckets.Of("foreign " + string(p.record.Kind) + " " + p.record.ID)
	}
	owed, taken := bucket.Take(k.config.Now().Sub(k.opened).Microseconds(), rate.cost().Microseconds(), rate.limit().Microseconds())
	here := rate.allowance(time.Duration(owed)*time.Microsecond, taken)
	if here.Exceeded || k.rates == nil || p.bucket == nil {
		return here, nil
	}
	if everywhere := k.rates.take(ctx, p.record.ID, rate); everywhere != nil {
		return strictest(here, everywhere), nil
	}
	return here, nil
}

// ratePause is how long a store is left alone that could not count.
const ratePause = time.Second

// rates counts requests where all processes do.
type rates struct {
	store   RateStore
	now     func() time.Time
	timeout time.Duration
	fault   func(context.Context, error)
	asked   atomic.Int64 // not again before: µs
	failed  atomic.Bool  // and that was told
}

// take returns nil if the store cannot answer. That is told once, until it can again.
func (s *rates) take(ctx context.Context, id string, r Rate) *Allowance {
	now := s.now().UnixMicro()
	if pause := s.asked.Load() - now; pause > 0 && pause <= ratePause.Microseconds() {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	owed, taken, err := s.ask(limited, id, r)
	switch {
	case err == nil:
		s.failed.Store(false)
		return r.allowance(owed, taken)
	case ctx.Err() == nil:
		s.asked.Store(now + ratePause.Microseconds())
		if !s.failed.Swap(true) {
			s.fault(ctx, fmt.Errorf("keystore: the store cannot count requests, so that until it can each process limits rates by itself: %w", err))
		}
	}
	return nil
}

func (s *rates) ask(ctx context.Context, id string, r Rate) (owed time.Duration, taken bool, err error) {
	defer recoverInto(&err)
	cost, limit := r.cost(), r.limit()
	owed, taken, err = s.store.Take(ctx, id, cost, limit)
	if err == nil && (owed > limit || taken && owed < cost || !taken && owed <= limit-cost) {
		err = fmt.Errorf("it says that %v of %v are owed, and taken is %t", owed, limit, taken)
	}
	return owed, taken, err
}

// newBucket is the place where requests with the record are counted; nil: they are not.
func newBucket(b *gcra.Buckets, r *Record) *gcra.Bucket {
	if r.Limits.Rate == (Rate{}) {
		return nil
	}
	return b.Of(r.ID)
}
