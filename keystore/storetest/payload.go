package storetest

import (
	"fmt"
	"strings"

	"github.com/claviger-go/claviger/keystore"
)

// payloads are texts that become something else where a store builds queries,
// scripts, patterns, keys or paths of them, or compares them by a language's
// rules. Those of one class are looked for among each other. They are at most 64
// bytes of UTF-8 without control characters, as Keys admits them everywhere.
func payloads() []struct {
	name  string
	texts []string
} {
	return []struct {
		name  string
		texts []string
	}{
		{"Quotes", []string{`'`, `"`, "`", `''`, `""`, `'"`, `\'`, `\"`, `''''`, `' '`, `’`, `＇`}},
		{"SQL", []string{`' OR '1'='1`, `' OR 1=1 --`, `'; DROP TABLE records; --`, `" OR ""="`, `') UNION SELECT 1--`, `1; SELECT pg_sleep(9)`, `0x27`, `CHAR(39)`}},
		{"Comments", []string{`--`, `-- `, `/*`, `*/`, `/**/`, `/*!50000 x*/`, `#`, `x--`, `x -- y`, `x/**/y`, `xy`, `x`}},
		{"Wildcards", []string{`%`, `_`, `%%`, `a%`, `%a`, `a_`, `_a`, `aa`, `ab`, `\%`, `\_`, `*`, `?`, `a*`, `a?`}},
		{"Backslashes", []string{`\`, `\\`, `\\\`, `\n`, `\\n`, `\0`, `\x00`, `\u0000`, `\u0061`, `a`, `a\`, `\a`, `\'; --`}},
		{"Placeholders", []string{`$1`, `$2`, `?`, `??`, `:id`, `:1`, `@p1`, `@id`, `{0}`, `{{.}}`, `%s`, `%d`, `%!s(MISSING)`, `${x}`, `#{x}`, `$$`, `$tag$`}},
		{"Lua", []string{`]]`, `]]--`, `]=]`, `[[x]]`, `" .. x .. "`, `') redis.call('FLUSHALL') --`, `KEYS[1]`, `ARGV[1]`, `nil`, `%a+`, `%1`}},
		{"RedisKeys", []string{`*`, `[a-z]`, `[^a]`, `a?c`, `abc`, `{tag}`, `{}`, `{`, `}`, `a:b`, `a::b`, `:`, `$6`, `*3`, `+OK`, `-ERR`, `FLUSHALL`}},
		{"JSON", []string{`{}`, `[]`, `null`, `"`, `","revoked":null,"x":"`, `"}`, `\"}`, `{"format":2}`, `</script>`, `&amp;`, `&`, `<`, `\u003c`, `/`, `\/`}},
		{"Paths", []string{`../../etc/passwd`, `..`, `.`, `/`, `//`, `a/b`, `a//b`, `a/./b`, `C:\x`, `%2e%2e%2f`, `file:///x`, `~`, `a|b`, `|id`, `$(id)`, `;id`, `CON`}},
		{"Numbers", []string{`0`, `00`, `0.0`, `1`, `01`, `1.0`, `1e0`, `+1`, `-1`, `1 `, `0x1`, `NaN`, `Infinity`, `true`, `false`, `NULL`, `null`, `undefined`, `nil`}},
		{"Spaces", []string{`a`, ` a`, `a `, `a  `, ` `, `  `, "a\u00a0", "\u00a0", "a\u3000", "a\u2003", "\u2028", "a\u2029", "a b", "a  b", "ab"}},
		{"Case", []string{`strasse`, `STRASSE`, `Strasse`, `straße`, `STRAẞE`, `straſſe`, `i`, `I`, `ı`, `İ`, `k`, `K`, "\u212a", `σ`, `ς`, `Σ`, `ǆ`, `ǅ`}},
		{"Accents", []string{`e`, `é`, "e\u0301", `è`, `ê`, `E`, `ё`, `е`, `å`, "\u212b", "a\u030a", `ae`, `æ`, `ﬁ`, `fi`, `ａ`, `a`, `²`, `2`, `①`, `1`}},
		{"Invisible", []string{"ab", "a\u200bb", "a\u200db", "a\u00adb", "a\ufeffb", "\ufeffab", "a\u2060b", "a\u034fb", "a\ufe0fb", "a\U000e0061b"}},
		{"Directions", []string{"ab", "ba", "\u202eab", "\u202eab\u202c", "\u200fab", "\u2066ab\u2069", "אב", "בא", "ab\u200e"}},
		{"Emoji", []string{"\U0001F511", "\U0001F510", "\U0001F511\U0001F511", "\U0001F468\u200d\U0001F469", "\U0001F468\U0001F469", "\U0001F1E9\U0001F1EA", "\u2764", "\u2764\ufe0f", "\U0010FFFF", "\uffff", "\ufffd", "𠜎"}},
		{"Separators", []string{`a,b`, `a;b`, `a b`, `a|b`, `a:b`, `a=b`, `a&b`, `a.b`, `a/b`, `a-b`, `a_b`, `a+b`, `a`, `b`, `,`, `a,`, `,a`}},
	}
}

func payloadCases() []testCase {
	var cases []testCase
	for _, class := range payloads() {
		cases = append(cases,
			testCase{class.name, anyStore, func(t *trial) { t.keepsPayloads(class.texts) }},
			testCase{class.name + "InFilters", adminStore, func(t *trial) { t.findsPayloads(class.texts) }},
		)
	}
	return append(cases,
		testCase{"LongestTexts", adminStore, longestTexts},
		testCase{"InIDs", adminStore, payloadsAsIDs},
		testCase{"InCursorsAndParents", adminStore, payloadsAsCursors},
		testCase{"InQuotas", adminStore, payloadsInQuotas},
	)
}

// loaded is a record with this text in every field that takes any.
func (t *trial) loaded(id, text string) keystore.Record {
	return t.key(id, func(r *keystore.Record) {
		r.Owner, r.Type, r.Name, r.CreatedBy = text, text, text, text
		r.Secrets[0].Hash = text
		r.Generation.Signer = text
		r.Limits.Audiences = []string{text, text}
		r.Client = keystore.Client{RedirectURIs: []string{text}, Grants: []string{text, text}}
		r.Grant = keystore.Grant{RedirectURI: text, Challenge: text}
		r.Suspended = keystore.Mark{At: at(1), Reason: keystore.Reason(text), By: text}
		r.Meta = map[string]string{text: text, "also " + text: text}
	})
}

func (t *trial) allLoaded(texts []string) []keystore.Record {
	var records []keystore.Record
	for n, text := range texts {
		records = append(records, t.loaded(alias(fmt.Sprintf("%02x", n)), text))
	}
	return records
}

func (t *trial) keepsPayloads(texts []string) {
	records := t.put(append(t.allLoaded(texts), t.key(alias("ff")))...)
	for _, r := range records {
		t.here.holds(r, "with such text in every field")
	}
	if !t.suite.AdminStore {
		return
	}
	for n, r := range records {
		revoked(&r)
		r.Revoked.By, r.Revoked.Reason = r.Owner, keystore.Reason(r.Type)
		records[n] = t.there.update(r)
	}
	for _, r := range records {
		t.here.holds(r, "updated with such text in every field")
	}
}

// Each text finds its own record, and no other one.
func (t *trial) findsPayloads(texts []string) {
	records := append(t.allLoaded(texts), t.key(alias("ff")), t.key(alias("fe"), owner(""), typ("")))
	t.here.insert(records...)
	for _, text := range texts {
		for _, f := range []keystore.Filter{{Owner: text}, {Type: text}, {Owner: text, Type: text, Kind: keystore.KindAPIKey, Limit: 1}} {
			want := only(records, func(r *keystore.Record) bool { return matches(&f, r) })
			t.exactly(t.there.all(f), want, "List %+v", f)
		}
	}
	t.exactly(t.here.all(keystore.Filter{}), records, "List of all after such filters")
}

// What is cut, or indexed by its beginning, takes one owner for another.
func longestTexts(t *trial) {
	var records []keystore.Record
	for n, text := range []string{"x", "'", "é", "\U0001F511"} {
		long := strings.Repeat(text, 252/len(text))
		for i, end := range []string{"aaaa", "aaab", "AAAA", "aaa "} {
			id := fmt.Sprintf("k%d%d", n, i)
			records = append(records, t.key(id, owner(long+end), typ(strings.Repeat(text, 60/len(text))+end), note(long+end, long+end)))
		}
	}
	t.here.insert(records...)
	for _, r := range records {
		for _, f := range []keystore.Filter{{Owner: r.Owner}, {Type: r.Type}} {
			t.exactly(t.there.all(f), []keystore.Record{r}, "List of the longest owner or type")
		}
		t.answer(t.here.admin.Insert(t.Context(), t.key("new", owner(r.Owner), typ(r.Type)), keystore.Quota{Max: 1, Now: now()}),
			keystore.ErrQuota, "Insert under Quota.Max 1 of the longest owner")
	}
}

func payloadsAsIDs(t *trial) {
	bystanders := append(t.keys(3, "k%d"), t.key("a"), t.key("0"), t.key("null"))
	t.here.insert(bystanders...)
	for _, class := range payloads() {
		for _, text := range class.texts {
			if validID(text) {
				continue
			}
			t.here.lacks(text, "which is no id")
			if t.here.admin.Update(t.Context(), t.key(text)) == nil {
				t.wrongf("Update of %q, which is no id: got nil, want keystore.ErrNotFound", text)
			}
			// Nothing, or refused: what matters is what is left.
			_ = t.here.admin.Delete(t.Context(), text, 0)
		}
	}
	t.exactly(t.here.all(keystore.Filter{}), bystanders, "List after mutations of what is no id")
}

func payloadsAsCursors(t *trial) {
	bystanders := append(t.keys(3, "k%d", owner("x"), parent("k0")), t.key("a", owner("y")))
	t.here.insert(bystanders...)
	for _, class := range payloads() {
		for _, text := range class.texts {
			for _, f := range []keystore.Filter{{Parent: text}, {Kind: keystore.Kind(text)}, {Owner: "y", After: text}} {
				page, err := t.here.admin.List(t.Context(), f)
				t.cannotAnswer(err, "List %+v", f)
				for _, r := range page.Records {
					if !matches(&f, &r) {
						t.wrongf("List %+v: got a record of the owner %q", f, r.Owner)
					}
				}
			}
		}
	}
	t.exactly(t.here.all(keystore.Filter{}), bystanders, "List after such parents, kinds and cursors")
}

func payloadsInQuotas(t *trial) {
	n := 0
	for _, class := range payloads() {
		for _, text := range class.texts {
			for _, want := range []error{nil, keystore.ErrQuota} {
				n++
				r := t.key(fmt.Sprintf("k%d", n), owner(text), typ(class.name))
				err := t.here.admin.Insert(t.Context(), r, keystore.Quota{Max: 1, Now: now()})
				t.answer(err, want, "Insert under Quota.Max 1, of the owner %q among those of %s", text, class.name)
			}
		}
	}
}
