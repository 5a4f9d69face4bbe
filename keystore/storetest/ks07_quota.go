package storetest

import (
	"fmt"
	"time"

	"github.com/claviger-go/claviger/keystore"
)

// now is the instant at which quotas are counted.
func now() time.Time { return at(100) }

// inQuota answers how an Insert of a usual key fares under a quota of max.
func (t *trial) inQuota(h *handle, limit int, want error, what string, edits ...edit) {
	t.Helper()
	r := t.key(fmt.Sprintf("q%d", t.draw()), edits...)
	t.answer(h.admin.Insert(t.Context(), r, keystore.Quota{Max: limit, Now: now()}), want, "Insert under Quota.Max %d, %s", limit, what)
	if want != nil {
		h.lacks(r.ID, "after its Insert was over quota")
	}
}

func quotaCases() []testCase {
	var cases []testCase
	for _, row := range []struct {
		name   string
		stored edit
		counts bool
	}{
		{"CountsAlike", func(*keystore.Record) {}, true},
		{"CountsSuspended", suspended, true},
		{"CountsNotYetValid", func(r *keystore.Record) { r.NotBefore = now().Add(time.Hour) }, true},
		{"CountsCreatedLater", created(200), true},
		{"CountsOtherEnv", func(r *keystore.Record) { r.Env = keystore.EnvTest }, true},
		{"CountsOtherParent", parent("p"), true},
		{"CountsExpiringLater", expires(now().Add(time.Millisecond)), true},
		{"CountsExpiringIn9999", expires(time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC)), true},
		{"IgnoresExpiringNow", expires(now()), false},
		{"IgnoresExpired", expires(now().Add(-time.Millisecond)), false},
		{"IgnoresExpiredIn1970", expires(time.Unix(0, 0).UTC()), false},
		{"IgnoresRevoked", revoked, false},
		{"IgnoresRevokedThatWouldExpire", func(r *keystore.Record) { revoked(r); r.Expires = now().Add(time.Hour) }, false},
		{"IgnoresOtherOwner", owner("another"), false},
		{"IgnoresOwnerInOtherCase", owner("ACCT_4711AAA"), false},
		{"IgnoresOwnerWithSameBeginning", owner("acct_4711aaab"), false},
		{"IgnoresOwnerWithTrailingSpace", owner("acct_4711aaa "), false},
		{"IgnoresNoOwner", owner(""), false},
		{"IgnoresOtherKind", kind(keystore.KindSession), false},
		{"IgnoresOtherType", typ("other"), false},
		{"IgnoresTypeInOtherCase", typ("UCD"), false},
		{"IgnoresTypeWithTrailingSpace", typ("ucd "), false},
		{"IgnoresNoType", typ(""), false},
	} {
		cases = append(cases, testCase{"Quota" + row.name, adminStore, func(t *trial) {
			t.here.insert(t.key("stored", row.stored))
			if row.counts {
				t.inQuota(t.here, 1, keystore.ErrQuota, "beside a record that counts")
				t.inQuota(t.here, 2, nil, "beside a record that counts")
				return
			}
			t.inQuota(t.here, 1, nil, "beside a record that does not count")
			t.inQuota(t.here, 1, keystore.ErrQuota, "beside a record that counts and one that does not")
		}})
	}
	return append(cases,
		testCase{"QuotaOfNothing", adminStore, quotaOfNothing},
		testCase{"QuotaOfEachOwner", adminStore, quotaOfEachOwner},
		testCase{"QuotaReachedWithout", adminStore, quotaReachedWithout},
		testCase{"QuotaSeenElsewhere", adminStore, quotaSeenElsewhere},
		testCase{"QuotaPlaceAfterDelete", adminStore, placeAfterDelete},
		testCase{"QuotaPlaceAfterRevoke", adminStore, placeAfterRevoke},
		testCase{"QuotaPlaceAfterExpiry", adminStore, placeAfterExpiry},
		testCase{"QuotaPlaceKeptByUpdate", adminStore, placeKeptByUpdate},
		testCase{"QuotaPlaceNotTakenByRefused", adminStore, placeNotTakenByRefused},
		testCase{"QuotaNowToTheNanosecond", adminStore, quotaNowToTheNanosecond},
	)
}

func quotaOfNothing(t *trial) {
	for range 5 {
		t.inQuota(t.here, 0, nil, "which is no limit")
	}
	t.inQuota(t.here, 1_000_000, nil, "of five taken")
}

func quotaOfEachOwner(t *trial) {
	for _, name := range []string{"acct_1", "acct_2", `<"&\>` + "\u2028", ""} {
		for range 3 {
			t.inQuota(t.here, 3, nil, "not yet reached", owner(name))
		}
		t.inQuota(t.here, 3, keystore.ErrQuota, "reached", owner(name))
		t.inQuota(t.here, 3, nil, "of another type", owner(name), typ("other"))
		t.inQuota(t.here, 3, nil, "of another kind", owner(name), kind(keystore.KindClient))
	}
}

// More may be there already: without a quota, or under a higher one.
func quotaReachedWithout(t *trial) {
	t.here.insert(t.keys(5, "k%d")...)
	for limit := 1; limit <= 5; limit++ {
		t.inQuota(t.here, limit, keystore.ErrQuota, "of five taken")
	}
	t.inQuota(t.here, 6, nil, "of five taken")
}

func quotaSeenElsewhere(t *trial) {
	for n := range 4 {
		t.inQuota(t.handle(n), 4, nil, "not yet reached, in turns")
	}
	t.inQuota(t.here, 4, keystore.ErrQuota, "reached in turns")
	t.inQuota(t.there, 4, keystore.ErrQuota, "reached in turns")
}

func placeAfterDelete(t *trial) {
	t.here.insert(t.keys(3, "k%d")...)
	for n := range 3 {
		t.inQuota(t.here, 3, keystore.ErrQuota, "reached")
		t.there.remove(fmt.Sprintf("k%d", n))
		t.inQuota(t.here, 3, nil, "after a Delete")
	}
	t.inQuota(t.here, 3, keystore.ErrQuota, "reached again")
}

func placeAfterRevoke(t *trial) {
	records := t.keys(3, "k%d")
	t.here.insert(records...)
	for _, r := range records {
		t.inQuota(t.here, 3, keystore.ErrQuota, "reached")
		revoked(&r)
		t.there.update(r)
		t.inQuota(t.here, 3, nil, "after a revocation")
		t.here.remove(r.ID)
		t.inQuota(t.here, 3, keystore.ErrQuota, "after the Delete of a revoked record, which took no place")
	}
}

func placeAfterExpiry(t *trial) {
	r := t.key("a", expires(now().Add(time.Hour)))
	t.here.insert(r)
	t.inQuota(t.here, 1, keystore.ErrQuota, "before the expiry")
	r.Expires = now()
	t.here.update(r)
	t.inQuota(t.here, 1, nil, "after an Update that made it expire")

	r = t.key("b", owner("clock"), expires(now()))
	t.here.insert(r)
	for _, tc := range []struct {
		id   string
		now  time.Time
		want error
	}{
		{"before", now().Add(-time.Millisecond), keystore.ErrQuota},
		{"elsewhere", now().Add(-time.Millisecond).In(time.FixedZone("east", 5*3600)), keystore.ErrQuota},
		{"then", now(), nil},
	} {
		err := t.here.admin.Insert(t.Context(), t.key(tc.id, owner("clock")), keystore.Quota{Max: 1, Now: tc.now})
		t.answer(err, tc.want, "Insert under Quota.Max 1 at %v, beside a record that expires at %v", tc.now, r.Expires)
	}
}

func placeKeptByUpdate(t *trial) {
	r := t.key("a")
	t.here.insert(r)
	for _, change := range []edit{named("renamed"), suspended, func(r *keystore.Record) { r.Suspended = keystore.Mark{} }, expires(now().Add(time.Millisecond))} {
		change(&r)
		r = t.here.update(r)
		t.inQuota(t.here, 1, keystore.ErrQuota, "after an Update that ends nothing")
	}
	stale := t.key("a", revoked)
	t.answer(t.here.admin.Update(t.Context(), stale), keystore.ErrConflict, "Update with a stale version")
	t.inQuota(t.here, 1, keystore.ErrQuota, "after a revocation that was refused")
	t.answer(t.here.admin.Delete(t.Context(), "a", 1), keystore.ErrConflict, "Delete of another version")
	t.inQuota(t.here, 1, keystore.ErrQuota, "after a Delete that was refused")
}

func placeNotTakenByRefused(t *trial) {
	t.here.insert(t.key("a"))
	for range 10 {
		t.inQuota(t.here, 1, keystore.ErrQuota, "reached")
		t.answer(t.here.admin.Insert(t.Context(), t.key("a"), keystore.Quota{Max: 9, Now: now()}), keystore.ErrExists, "Insert of an existing id")
	}
	t.here.remove("a")
	t.inQuota(t.here, 1, nil, "though many were refused")
	t.inQuota(t.here, 1, keystore.ErrQuota, "reached again")
}

// A clock is finer than a record: its instant must not be rounded up.
func quotaNowToTheNanosecond(t *trial) {
	for n, tc := range []struct {
		beyond time.Duration
		want   error
	}{{-1, keystore.ErrQuota}, {-499, keystore.ErrQuota}, {0, nil}, {1, nil}, {999, nil}} {
		name := owner(fmt.Sprintf("acct_%d", n))
		t.here.insert(t.key(fmt.Sprintf("k%d", n), name, expires(now())))
		err := t.here.admin.Insert(t.Context(), t.key(fmt.Sprintf("n%d", n), name), keystore.Quota{Max: 1, Now: now().Add(tc.beyond)})
		t.answer(err, tc.want, "Insert under Quota.Max 1, %d ns after a record's expiry", tc.beyond)
	}
}
