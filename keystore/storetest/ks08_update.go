package storetest

import (
	"github.com/claviger-go/claviger/keystore"
)

func updateCases() []testCase {
	var cases []testCase
	for _, row := range []struct {
		name   string
		stored edit
		update edit
		want   error
	}{
		{"CurrentVersion", version(1), version(1), nil},
		{"CurrentVersionOfTheClock", version(1_795_000_000_123_457), version(1_795_000_000_123_457), nil},
		{"StaleVersion", version(5), version(4), keystore.ErrConflict},
		{"FutureVersion", version(5), version(6), keystore.ErrConflict},
		{"VersionFarBehind", version(1_795_000_000_123_457), version(1), keystore.ErrConflict},
		{"VersionOffByOneInSixteenDigits", version(1_795_000_000_123_457), version(1_795_000_000_123_456), keystore.ErrConflict},
		{"RevokesTheRecord", version(1), revoked, nil},
		{"Revoked", revoked, version(1), keystore.ErrRevoked},
		{"RevokedToBeRevoked", revoked, func(r *keystore.Record) { revoked(r); r.Revoked.At = at(9) }, keystore.ErrRevoked},
		{"RevokedAndStale", func(r *keystore.Record) { revoked(r); r.Version = 5 }, version(4), keystore.ErrRevoked},
		{"Suspended", suspended, named("resumed"), nil},
		{"Expired", expires(at(-1)), expires(at(-1)), nil},
	} {
		cases = append(cases, testCase{row.name, adminStore, func(t *trial) { t.updateOnce(row.stored, row.update, row.want) }})
	}
	return append(append(cases,
		testCase{"Missing", adminStore, updateMissing},
		testCase{"Deleted", adminStore, updateDeleted},
		testCase{"RevokedElsewhere", adminStore, updateRevokedElsewhere},
		testCase{"StaleElsewhere", adminStore, updateStaleElsewhere},
		testCase{"ReplacesAll", adminStore, updateReplacesAll},
		testCase{"NothingWrittenWhenRefused", adminStore, nothingWritten},
		testCase{"ManyInARow", adminStore, updateManyTimes},
	), updateRaceCases()...)
}

func (t *trial) updateOnce(stored, change edit, want error) {
	before, bystander := t.key("a", stored), t.key("b")
	t.here.insert(before, bystander)
	after := t.key("a", named("renamed"), change)
	t.answer(t.there.admin.Update(t.Context(), after), want, "Update at version %d of version %d", after.Version, before.Version)
	if want != nil {
		t.here.holds(before, "after an Update that was refused")
	} else {
		after.Version++
		t.here.holds(after, "after its Update")
	}
	t.here.holds(bystander, "after an Update of another")
}

func updateMissing(t *trial) {
	t.here.insert(t.key("a"))
	t.answer(t.here.admin.Update(t.Context(), t.key("b")), keystore.ErrNotFound, "Update of a missing record")
	t.here.lacks("b", "after an Update of a missing record")
}

func updateDeleted(t *trial) {
	r := t.key("a")
	t.here.insert(r)
	t.there.remove("a")
	t.answer(t.here.admin.Update(t.Context(), t.key("a")), keystore.ErrNotFound, "Update of a deleted record")
	t.here.lacks("a", "after an Update of a deleted record")
}

// Writing a record back that was read before must not undo a revocation.
func updateRevokedElsewhere(t *trial) {
	t.here.insert(t.key("a"))
	read := t.here.lookup("a")
	ended := read
	revoked(&ended)
	ended = t.there.update(ended)
	read.Op = t.op()
	t.answer(t.here.admin.Update(t.Context(), read), keystore.ErrRevoked, "Update of a record revoked since it was read")
	read.Version = ended.Version
	t.answer(t.here.admin.Update(t.Context(), read), keystore.ErrRevoked, "Update without the mark, at the version of the revoked record")
	t.here.holds(ended, "after Updates of a revoked record")
	t.there.holds(ended, "after Updates of a revoked record")
}

func updateStaleElsewhere(t *trial) {
	t.here.insert(t.key("a"))
	read := t.here.lookup("a")
	r := t.there.update(read)
	read.Name, read.Op = "stale", t.op()
	t.answer(t.here.admin.Update(t.Context(), read), keystore.ErrConflict, "Update of a record updated elsewhere since it was read")
	t.here.holds(r, "after a stale Update")
}

// What an Update leaves out is gone.
func updateReplacesAll(t *trial) {
	full := t.key("a", suspended, note("k", "v"), parent("p"), expires(at(9)))
	t.here.insert(full)
	bare := keystore.Record{ID: "a", Version: full.Version, Kind: full.Kind, Env: full.Env, Created: full.Created}
	bare = t.here.update(bare)
	t.here.holds(bare, "after an Update that left out all it could")
	full.Version = bare.Version
	t.here.holds(t.here.update(full), "after an Update that set everything again")
}

// A refused Update leaves no trace in listings and quotas either.
func nothingWritten(t *trial) {
	t.here.insert(t.key("a", version(5)), t.key("b", revoked, owner("b")))
	for _, r := range []keystore.Record{t.key("a", owner("moved"), revoked), t.key("b", owner("moved")), t.key("c", owner("moved"))} {
		if t.here.admin.Update(t.Context(), r) == nil {
			t.wrongf("Update of %q: got nil, want it refused", r.ID)
		}
	}
	if moved := t.here.all(keystore.Filter{Owner: "moved"}); len(moved) != 0 {
		t.wrongf("List of the owner that refused Updates named: got %q", ids(moved))
	}
	if still := ids(t.here.all(keystore.Filter{Owner: "acct_4711aaa"})); len(still) != 1 {
		t.wrongf("List of the owner of a record whose Update was refused: got %q", still)
	}
	t.inQuota(t.here, 1, keystore.ErrQuota, "after a revocation that was refused")
}

func updateManyTimes(t *trial) {
	r := t.key("a")
	t.here.insert(r)
	for n := range 50 {
		r.Name = t.op()
		r = t.handle(n).update(r)
	}
	t.here.holds(r, "after 50 Updates")
}
