package keystore

import (
	"context"
	"iter"
	"time"

	"github.com/claviger-go/claviger/keystore/internal/hash"
)

// List returns a page of records, newest first. [ErrReadOnly] where the store
// cannot list.
func (k *Keys) List(ctx context.Context, f Filter) (page Page, err error) {
	if k.admin == nil {
		return Page{}, ErrReadOnly
	}
	defer recoverInto(&err)
	page, err = k.admin.List(ctx, f)
	return page, wrapStore(err)
}

// All yields the records that match f, newest first, a page of f.Limit at a time
// (0: [MaxPage]). What is written meanwhile may be among them or not. An error is
// the last that it yields; errors are those of List.
func (k *Keys) All(ctx context.Context, f Filter) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for page, err := range k.pages(ctx, f) {
			if err != nil {
				yield(Record{}, err)
				return
			}
			for i := range page {
				if !yield(page[i], nil) {
					return
				}
			}
		}
	}
}

func (k *Keys) pages(ctx context.Context, f Filter) iter.Seq2[[]Record, error] {
	set(&f.Limit, MaxPage)
	return func(yield func([]Record, error) bool) {
		for {
			page, err := k.List(ctx, f)
			if !yield(page.Records, err) || err != nil {
				return
			}
			if f.After = page.Next; f.After == "" {
				return
			}
		}
	}
}

// Due yields the API keys whose newest secret is older than maxAge, and which
// should be rotated: neither revoked nor expired. 0 stands for
// [Config.RotateAfter]. It reads the whole store; errors are those of All.
func (k *Keys) Due(ctx context.Context, maxAge time.Duration) iter.Seq2[Record, error] {
	set(&maxAge, k.config.RotateAfter)
	return k.alive(ctx, func(r *Record, now time.Time) bool { return r.due(now, maxAge) })
}

// ExpiringWithin yields the API keys that will expire within d of now, and are not
// revoked. 0 stands for [Config.ExpiryNotice]. It reads the whole store; errors are
// those of All.
func (k *Keys) ExpiringWithin(ctx context.Context, d time.Duration) iter.Seq2[Record, error] {
	set(&d, k.config.ExpiryNotice)
	return k.alive(ctx, func(r *Record, now time.Time) bool { return r.expiring(now, d) })
}

// UnusedFor yields the API keys that were not used within the last d, nor created or
// given a new secret: neither revoked nor expired. It reads the whole store, and the
// usage of a page of keys at a time. Errors are those of All and [Keys.Usage].
func (k *Keys) UnusedFor(ctx context.Context, d time.Duration) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for page, err := range k.pages(ctx, Filter{Kind: KindAPIKey}) {
			var last map[string]time.Time
			if err == nil {
				last, err = k.lastUses(ctx, page)
			}
			if err != nil {
				yield(Record{}, err)
				return
			}
			now := k.config.Now()
			for i := range page {
				r := &page[i]
				if r.Revoked.IsZero() && !r.expired(now) && !now.Before(r.awake(last[r.ID]).Add(d)) && !yield(*r, nil) {
					return
				}
			}
		}
	}
}

func (k *Keys) lastUses(ctx context.Context, page []Record) (map[string]time.Time, error) {
	ids := make([]string, len(page))
	for i := range page {
		ids[i] = page[i].ID
	}
	used, err := k.Usage(ctx, ids...)
	last := make(map[string]time.Time, len(used))
	for _, u := range used {
		last[u.ID] = newer(last[u.ID], u.LastUsed)
	}
	return last, err
}

func (k *Keys) alive(ctx context.Context, which func(r *Record, now time.Time) bool) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		now := k.config.Now()
		for r, err := range k.All(ctx, Filter{Kind: KindAPIKey}) {
			if err == nil && (!r.Revoked.IsZero() || r.expired(now) || !which(&r, now)) {
				continue
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

func (r *Record) expiring(now time.Time, within time.Duration) bool {
	return !r.Expires.IsZero() && !now.Add(within).Before(r.Expires)
}

func (r *Record) due(now time.Time, maxAge time.Duration) bool {
	created := r.Created
	if len(r.Secrets) > 0 {
		created = r.Secrets[0].Created
	}
	return !now.Before(created.Add(maxAge))
}

// RingUse counts the secrets of all records by the ring secret that they were
// hashed under; "" counts the others. A ring secret that counts none can go. It
// reads the whole store.
func (k *Keys) RingUse(ctx context.Context) (map[string]int, error) {
	counts := map[string]int{}
	for r, err := range k.All(ctx, Filter{}) {
		if err != nil {
			return nil, err
		}
		for _, s := range r.Secrets {
			counts[hash.KeyName(s.Hash)]++
		}
	}
	return counts, nil
}
