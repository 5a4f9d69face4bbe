package hash

import (
	"context"
	"sync/atomic"
)

// queuePerPermit bounds the wait: 16 hashes of about 50 ms are under a second.
const queuePerPermit = 16

// pool admits so many slow hashes at a time. A permit belongs to the work and
// not to the request: a client that goes away frees no memory that is in use.
type pool struct {
	permits chan struct{}
	waiting atomic.Int64
}

func newPool(permits int) *pool { return &pool{permits: make(chan struct{}, permits)} }

// do runs work in a goroutine of its own and waits for it, or for ctx. work must
// keep its hands off what the caller reads after an error.
func (p *pool) do(ctx context.Context, work func()) error {
	if err := p.enter(ctx); err != nil {
		return err
	}
	done := make(chan struct{})
	go func() {
		defer func() {
			<-p.permits
			close(done)
		}()
		work()
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// enter takes a permit, unless too many wait for one already.
func (p *pool) enter(ctx context.Context) error {
	defer p.waiting.Add(-1)
	if p.waiting.Add(1) > int64(queuePerPermit*cap(p.permits)) {
		return ErrBusy
	}
	select {
	case p.permits <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := ctx.Err(); err != nil { // of two ready cases, select takes any
		<-p.permits
		return err
	}
	return nil
}
