package storetest

import (
	"errors"
	"slices"
	"strings"

	"github.com/claviger-go/claviger/keystore"
)

func idCases() []testCase {
	return []testCase{
		{"CaseMatters", anyStore, caseMatters},
		{"CaseMattersInMutations", adminStore, caseMattersInMutations},
		{"CaseOfAnAlias", anyStore, caseOfAnAlias},
		{"EveryCharacter", anyStore, everyCharacter},
		{"Longest", anyStore, longestIDs},
		{"Colons", anyStore, colons},
		{"TextNotNumber", anyStore, idsAreText},
		{"Lookalikes", anyStore, lookalikesAreMissing},
		{"LookalikesInUpdate", adminStore, lookalikesInUpdate},
		{"LookalikesInDelete", adminStore, lookalikesInDelete},
		{"LookalikesInInsert", adminStore, lookalikesInInsert},
	}
}

// apart stores a record under each id that the store can hold, and checks that
// each id finds its own, or nothing.
func (t *trial) apart(names ...string) {
	t.Helper()
	var records []keystore.Record
	for n, id := range names {
		records = append(records, t.key(id, owner(id), created(n)))
	}
	held := map[string]keystore.Record{}
	for _, r := range t.put(records...) {
		held[r.ID] = r
	}
	for _, id := range names {
		if r, ok := held[id]; ok {
			t.here.holds(r, "beside ids like it")
		} else {
			t.here.lacks(id, "which Seed could not put there")
		}
	}
}

func caseMatters(t *trial) { t.apart("abc", "Abc", "aBc", "abC", "ABc", "AbC", "aBC", "ABC") }

func caseMattersInMutations(t *trial) {
	lower, upper := t.key("key"), t.key("KEY", owner("another"))
	t.here.insert(lower)
	t.answer(t.here.admin.Update(t.Context(), t.key("KEY")), keystore.ErrNotFound, "Update of an id in another case")
	// Whether that is nothing or an error is up to KS9.
	_ = t.here.admin.Delete(t.Context(), "Key", lower.Version)
	_ = t.here.admin.Delete(t.Context(), "KEY", 0)
	t.here.holds(lower, "after mutations of its id in another case")
	t.here.insert(upper)
	t.here.update(lower)
	t.here.holds(upper, "after an Update of its id in another case")
	t.here.remove("key")
	t.here.holds(upper, "after the Delete of its id in another case")
}

// A store that decodes the hex of an alias must not find it by other hex.
func caseOfAnAlias(t *trial) {
	r := t.put(t.key(alias("ab")))[0]
	t.here.holds(r, "by its own id")
	for _, id := range []string{alias("AB"), alias("aB"), "SHA256" + r.ID[6:], "sha256::" + r.ID[7:], r.ID[7:], r.ID[:70], r.ID + "ab", r.ID + ":"} {
		t.here.lacks(id, "beside "+r.ID)
	}
}

func everyCharacter(t *trial) {
	t.apart(strings.Split("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz:", "")...)
}

func longestIDs(t *trial) {
	const longest = 80
	long := strings.Repeat("Zz9:", longest/4)
	t.apart(long, long[:79]+"x", long[:79], long[:78], "x"+long[:79], alias("0a"), alias("0a")+"12345678", strings.Repeat("0", longest))
}

func colons(t *trial) { t.apart("a", "a:", ":a", "a:b", "a:b:", "a::b", ":", "::", "ab", "b:a") }

// An engine with flexible types takes none of them for a number or a constant.
func idsAreText(t *trial) {
	t.apart("1", "01", "001", "10", "1e1", "0x1", "0xA", "0e0", "00", "0", "9007199254740993", "9007199254740992",
		"12345678901234567890", "Inf", "NaN", "null", "NULL", "true", "false", "undefined", "12:30", "1:2")
}

// lookalikes are no ids, though careless comparing takes them for r's.
func lookalikes(id string) []string {
	wide := strings.Map(func(c rune) rune {
		if c > ' ' && c <= '~' {
			return c - '!' + '！'
		}
		return c
	}, id)
	return []string{
		"", " ", id + " ", " " + id, id + "\t", id + "\n", "\n" + id, id + "\r\n", id + "\u00a0", id + "\u3000",
		id + "\x00", "\x00" + id, id[:2] + "\x00" + id[2:], id + "\x00x",
		wide, id[:1] + wide, strings.ReplaceAll(id, "K", "\u212a"), strings.ReplaceAll(id, "s", "\u017f"),
		strings.ReplaceAll(id, "a", "ä"), strings.ReplaceAll(id, "a", "a\u0308"), strings.ReplaceAll(id, "a", "а"),
		id + "\u200b", id[:1] + "\u00ad" + id[1:], "\ufeff" + id, "\u202e" + id, id + "\u0301",
		"%", "_", strings.Repeat("_", len(id)), id[:1] + "%", "%" + id[1:], id[:len(id)-1] + "_", "*", id[:1] + "*", id[:len(id)-1] + "?",
		"[" + id[:1] + "]" + id[1:], id[:1] + "%" + "61" + id[2:], "./" + id, "../" + id, "/" + id, id + "/", id + "/../" + id,
		id + ".json", `"` + id + `"`, "'" + id + "'", id + "'--", id + ";", id + ",", "{" + id + "}", `\` + id,
		id + "\xff", "\xff\xfe" + id, "\xc0\xaf" + id, strings.Repeat(id, 200), strings.Repeat("x", 81), strings.Repeat("x", 1<<20),
	}
}

// The ids have all the letters that lookalikes replaces.
func lookalikesAreMissing(t *trial) {
	long := strings.Repeat("x", 80)
	held := t.put(t.key("Kas7"), t.key(alias("a0")), t.key(long))
	for _, r := range held {
		for _, id := range append(lookalikes(r.ID), long+"y", long+" ") {
			if !validID(id) {
				t.here.lacks(id, "beside "+cut(r.ID))
			}
		}
		t.here.holds(r, "by its own id")
	}
}

func lookalikesInUpdate(t *trial) {
	r := t.key("Kas7")
	t.here.insert(r)
	for _, id := range lookalikes(r.ID) {
		err := t.here.admin.Update(t.Context(), t.key(id, named("overwritten")))
		if err == nil {
			t.wrongf("Update of %q beside %q: got nil, want keystore.ErrNotFound", cut(id), r.ID)
		}
	}
	t.here.holds(r, "after Updates of ids like it")
}

func lookalikesInDelete(t *trial) {
	r := t.key("Kas7")
	t.here.insert(r)
	for _, id := range lookalikes(r.ID) {
		// Whether it is refused or is nothing makes no difference to anybody.
		_ = t.here.admin.Delete(t.Context(), id, 0)
		_ = t.here.admin.Delete(t.Context(), id, r.Version)
	}
	t.here.holds(r, "after Deletes of ids like it")
}

// Keys inserts no such id. A store that takes one has to keep it as it is.
func lookalikesInInsert(t *trial) {
	r := t.key("Kas7")
	t.here.insert(r)
	for _, id := range lookalikes(r.ID) {
		bad := t.key(id, owner("bad"))
		err := t.here.admin.Insert(t.Context(), bad, keystore.Quota{})
		if errors.Is(err, keystore.ErrExists) {
			t.wrongf("Insert of %q beside %q: got keystore.ErrExists: one id was taken for another", cut(id), r.ID)
		}
		if err != nil {
			continue
		}
		t.here.holds(bad, "which is no id, and was not refused")
		t.here.holds(r, "after an Insert of an id like it")
		t.here.remove(id)
	}
	if left := ids(t.here.all(keystore.Filter{})); !slices.Equal(left, []string{r.ID}) {
		t.wrongf("List after Inserts of ids like %q: got %q", r.ID, left)
	}
}
