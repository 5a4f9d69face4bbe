package storetest

import (
	"fmt"
	"time"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/scopes"
)

// at is n seconds after an instant. What is finer than a millisecond is up to
// KS10, so that a store which loses that fails there alone.
func at(n int) time.Time {
	return time.Date(2026, time.November, 22, 2, 36, 0, 123000000, time.UTC).Add(time.Duration(n) * time.Second)
}

// edit makes a record something else than the usual key.
type edit func(*keystore.Record)

// key is a record as an app's usual key has it, of a mutation of its own.
func (t *trial) key(id string, edits ...edit) keystore.Record {
	r := keystore.Record{
		ID: id, Version: 1, Op: t.op(), Kind: keystore.KindAPIKey,
		Owner: "acct_4711aaa", Type: "ucd", Env: keystore.EnvLive, Name: "nightly batch import",
		Scopes: scopes.MustSet("claims:read", "claims:write"),
		Secrets: []keystore.StoredSecret{{
			N: 1, Hash: "$hmac-sha256$k=2026-11$7Gk2mXw9QaTz$47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU", Created: at(0),
		}},
		Created: at(0), CreatedBy: "user_0815",
	}
	for _, edit := range edits {
		edit(&r)
	}
	return r
}

// keys are n keys, the newest last, made from a pattern such as "k%d".
func (t *trial) keys(n int, pattern string, edits ...edit) []keystore.Record {
	var records []keystore.Record
	for i := range n {
		r := t.key(fmt.Sprintf(pattern, i), created(i))
		for _, edit := range edits {
			edit(&r)
		}
		records = append(records, r)
	}
	return records
}

// draw returns a number that looks random and comes once in a trial.
func (t *trial) draw() uint64 {
	// SplitMix64: a bijection of the counter.
	z := t.drawn.Add(1) * 0x9E3779B97F4A7C15
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// below returns a number from 0 to n-1.
func (t *trial) below(n int) int { return int(t.draw()>>32) % n }

func (t *trial) op() string { return fmt.Sprintf("%016x", t.draw()) }

func owner(name string) edit      { return func(r *keystore.Record) { r.Owner = name } }
func typ(name string) edit        { return func(r *keystore.Record) { r.Type = name } }
func kind(k keystore.Kind) edit   { return func(r *keystore.Record) { r.Kind = k } }
func parent(id string) edit       { return func(r *keystore.Record) { r.Parent = id } }
func named(name string) edit      { return func(r *keystore.Record) { r.Name = name } }
func version(v uint64) edit       { return func(r *keystore.Record) { r.Version = v } }
func created(n int) edit          { return func(r *keystore.Record) { r.Created = at(n) } }
func expires(when time.Time) edit { return func(r *keystore.Record) { r.Expires = when } }
func note(key, value string) edit {
	return func(r *keystore.Record) { r.Meta = map[string]string{key: value} }
}

func revoked(r *keystore.Record) {
	r.Revoked = keystore.Mark{At: at(1), Reason: keystore.ReasonRequested, By: "ops"}
}

func suspended(r *keystore.Record) {
	r.Suspended = keystore.Mark{At: at(1), Reason: keystore.ReasonMisuse, By: "ops"}
}
