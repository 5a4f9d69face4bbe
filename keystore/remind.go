package keystore

import (
	"context"
	"errors"
	"time"
)

// firstReminder is how soon after New the store is looked through: processes that
// are restarted every day must not remind never.
const firstReminder = 10 * time.Minute

// Remind looks through all API keys and tells OnEvent which are due for rotation
// ([EventDue]), will expire soon ([EventExpiring]) or have expired
// ([EventExpired]); of each secret and each expiry once, whichever process comes
// first, since that is written into the record. While OnEvent is set, Keys calls it
// by itself, see [Config.RemindInterval].
//
// It reads the whole store. Errors are those of [Keys.List] and [Keys.Edit]; what is
// left over is told next time.
func (k *Keys) Remind(ctx context.Context) error {
	var problems []error
	for r, err := range k.All(ctx, Filter{Kind: KindAPIKey}) {
		if err != nil {
			return errors.Join(append(problems, err)...)
		}
		if !r.Revoked.IsZero() || len(k.remind(&r)) == 0 {
			continue
		}
		var tell []EventType
		_, after, err := k.settleWhole(ctx, r.ID, func(r *Record) bool {
			tell = k.remind(r)
			return len(tell) > 0
		})
		if err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrRevoked) {
			problems = append(problems, err)
		}
		if after == nil {
			continue
		}
		for _, what := range tell {
			k.happened(ctx, what, after, "")
		}
	}
	return errors.Join(problems...)
}

// settleWhole is settle that is not cut short by the end of ctx: what is written as
// told has to be told.
func (k *Keys) settleWhole(ctx context.Context, id string, change func(*Record) bool) (before, after *Record, err error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTime)
	defer cancel()
	return k.settle(ctx, id, change)
}

// remind notes in the record what there is to tell of it, and returns that.
func (k *Keys) remind(r *Record) (tell []EventType) {
	now := k.config.Now()
	switch {
	case r.expired(now):
		if !r.Reminded.Expired.Equal(r.Expires) {
			r.Reminded.Expired = r.Expires
			tell = append(tell, EventExpired)
		}
		return tell
	case r.expiring(now, k.config.ExpiryNotice) && !r.Reminded.Expiring.Equal(r.Expires):
		r.Reminded.Expiring = r.Expires
		tell = append(tell, EventExpiring)
	}
	if len(r.Secrets) > 0 && r.Reminded.Due != r.Secrets[0].N && r.due(now, k.config.RotateAfter) {
		r.Reminded.Due = r.Secrets[0].N
		tell = append(tell, EventDue)
	}
	return tell
}

func (k *Keys) runReminders(ctx context.Context) {
	timer := time.NewTimer(min(firstReminder, k.config.RemindInterval))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		if err := k.Remind(ctx); err != nil && ctx.Err() == nil {
			k.fault(ctx, err)
		}
		timer.Reset(k.config.RemindInterval)
	}
}
