package tokens

import (
	"context"
	"errors"
	"time"

	"github.com/claviger-go/claviger/keystore"
)

// pruneAfter is how long a session is kept that is over: clocks differ, and somebody may
// ask what became of it.
const pruneAfter = time.Hour

// Prune deletes the sessions of which the last token expired over an hour ago, or that
// ended then, a page at a time, and returns how many. One that is renewed at the same
// moment stays. It is called by itself, see [Config.PruneInterval]. Errors are those of
// [keystore.Keys.List].
func (t *Tokens) Prune(ctx context.Context) (deleted int, err error) {
	dead := keystore.Filter{Kind: keystore.KindSession, ExpiredBefore: t.keys.Now().Add(-pruneAfter), Limit: 100}
	for r, err := range t.keys.All(ctx, dead) {
		if err != nil {
			return deleted, err
		}
		switch err := t.keys.Discard(ctx, r); {
		case errors.Is(err, keystore.ErrConflict):
		case err != nil:
			return deleted, err
		default:
			deleted++
		}
	}
	return deleted, nil
}

func (t *Tokens) runPruning(ctx context.Context) {
	ticker := time.NewTicker(t.config.PruneInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		_, err := t.Prune(ctx)
		switch {
		case ctx.Err() != nil, errors.Is(err, keystore.ErrReadOnly): // not ours to prune
			return
		case err != nil:
			t.keys.Fault(ctx, err)
		}
	}
}
