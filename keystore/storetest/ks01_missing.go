package storetest

import (
	"strings"

	"github.com/claviger-go/claviger/keystore"
)

func missingCases() []testCase {
	return []testCase{
		{"EmptyStore", anyStore, missingInEmptyStore},
		{"AmongOthers", anyStore, missingAmongOthers},
		{"Deleted", adminStore, missingOnceDeleted},
		{"ThenInserted", adminStore, missingThenInserted},
		{"MalformedID", anyStore, malformedIsMissing},
		{"DeadIsNotMissing", anyStore, deadIsNotMissing},
	}
}

// misses looks up an id that nobody has.
func (h *handle) misses(id, when string) {
	h.t.Helper()
	_, err := h.Lookup(h.t.Context(), id)
	h.t.answer(err, keystore.ErrNotFound, "Lookup of %q through %s %s", cut(id), h.name, when)
}

func missingInEmptyStore(t *trial) {
	for _, h := range []*handle{t.here, t.there} {
		for _, id := range []string{"a", "7Gk2mXw9QaTz", alias("0a"), strings.Repeat("x", 80)} {
			h.misses(id, "in an empty store")
			h.misses(id, "asked again")
		}
	}
}

// Ids that have something in common with those that are there.
func missingAmongOthers(t *trial) {
	held := t.put(t.key(alias("0a")), t.key(alias("0b")), t.key("7Gk2mXw9QaTz"), t.key("7Gk2mXw9QaTy"))
	for _, r := range held {
		for _, id := range []string{r.ID[1:], r.ID[:len(r.ID)-1], r.ID + "0", "0" + r.ID, r.ID[:len(r.ID)-1] + "x", r.Owner, r.Op} {
			if validID(id) {
				t.here.misses(id, "beside "+r.ID)
			}
		}
		t.here.holds(r, "beside ids like it")
	}
}

func missingOnceDeleted(t *trial) {
	t.here.insert(t.key("a"), t.key("b"))
	t.here.remove("a")
	t.here.misses("a", "after its Delete")
	t.here.lookup("b")
}

// An answer is not remembered longer than it is true.
func missingThenInserted(t *trial) {
	t.here.misses("a", "before its Insert")
	r := t.key("a")
	t.here.insert(r)
	t.here.holds(r, "after its Insert")
}

// Ids from a request reach the store as they are, through [keystore.Keys.Lookup]
// for example: who asks for nonsense is not to see an outage.
func malformedIsMissing(t *trial) {
	t.put(t.key("Kas7"), t.key(alias("0a")))
	for _, id := range lookalikes("Kas7") {
		t.here.misses(id, "which is no id")
	}
}

// A store does not judge records: Keys has to see that one is dead.
func deadIsNotMissing(t *trial) {
	held := t.put(
		t.key(alias("0a"), expires(at(-1))),
		t.key(alias("0b"), revoked),
		t.key(alias("0c"), suspended),
		t.key(alias("0d"), func(r *keystore.Record) { r.NotBefore = at(1_000_000_000) }),
	)
	for _, r := range held {
		t.here.holds(r, "though it lets nobody in")
	}
}

// alias is the id under which an imported key is found.
func alias(hex string) string { return "sha256:" + strings.Repeat(hex, 32) }

// validID is KS6.
func validID(id string) bool {
	return id != "" && len(id) <= 80 && strings.Trim(id, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz:") == ""
}
