package storetest

import (
	"encoding/json"
	"reflect"
	"slices"

	"github.com/claviger-go/claviger/keystore"
)

func aliasingCases() []testCase {
	return []testCase{
		{"InsertArgument", adminStore, insertKeepsNothing},
		{"UpdateArgument", adminStore, updateKeepsNothing},
		{"ArgumentsUnchanged", adminStore, argumentsUnchanged},
		{"LookupResult", anyStore, lookupSharesNothing},
		{"ListResult", adminStore, listSharesNothing},
		{"UsageArguments", usageStore, usageKeepsNothing},
		{"UsageResult", usageStore, usageSharesNothing},
		{"WatchIDs", adminStore | watcher, watchSharesNothing},
	}
}

// unaffected checks that what is stored under an id stays as it is while the
// caller overwrites something. That it is what was stored is up to KS14.
func (t *trial) unaffected(id, what string, overwrite func()) {
	t.Helper()
	before := t.copyOf(t.here.lookup(id))
	overwrite()
	for _, h := range []*handle{t.here, t.there} {
		h.holds(before, "after the caller overwrote "+what)
	}
}

// copyOf shares nothing with r.
func (t *trial) copyOf(r keystore.Record) keystore.Record {
	t.Helper()
	encoding, err := json.Marshal(r)
	if err == nil {
		r = keystore.Record{}
		err = json.Unmarshal(encoding, &r)
	}
	if err != nil {
		t.Fatalf("storetest: copying a record: %v", err)
	}
	return r
}

func insertKeepsNothing(t *trial) {
	given := t.live("a")
	t.here.insert(given)
	t.unaffected("a", "the argument of Insert", func() { scribble(reflect.ValueOf(&given)) })
}

func updateKeepsNothing(t *trial) {
	given := t.live("a")
	given.Version = 1
	t.here.insert(t.key("a"))
	t.answer(t.here.admin.Update(t.Context(), given), nil, "Update")
	t.unaffected("a", "the argument of Update", func() { scribble(reflect.ValueOf(&given)) })
}

func argumentsUnchanged(t *trial) {
	given := t.live("a")
	want := t.copyOf(given)
	t.here.insert(given)
	t.same(given, want, "the argument of Insert")
	t.answer(t.here.admin.Update(t.Context(), given), nil, "Update")
	t.same(given, want, "the argument of Update")
}

func lookupSharesNothing(t *trial) {
	id := t.put(t.live(alias("0a")))[0].ID
	first, second := t.here.lookup(id), t.here.lookup(id)
	want := t.copyOf(second)
	t.unaffected(id, "what Lookup handed out", func() { scribble(reflect.ValueOf(&first)) })
	t.same(second, want, "a record handed out, after the caller overwrote another")
}

func listSharesNothing(t *trial) {
	t.here.insert(t.live("a"))
	first, second := t.here.list(keystore.Filter{}), t.here.list(keystore.Filter{})
	if len(first.Records) != 1 || len(second.Records) != 1 {
		t.wrongf("List: got %d records, and the second time %d, want 1", len(first.Records), len(second.Records))
		return
	}
	want := t.copyOf(second.Records[0])
	t.unaffected("a", "what List handed out", func() { scribble(reflect.ValueOf(&first)) })
	t.same(second.Records[0], want, "a record handed out, after the caller overwrote another")
}

func usageKeepsNothing(t *trial) {
	r := t.put(t.key(alias("0a")))[0]
	want := usages{from("192.0.2.0/24", use(r.ID, 2, 1))}
	given := slices.Clone(want)
	t.here.addUsage(given...)
	if !slices.Equal(given, want) {
		t.wrongf("AddUsage changed its argument to %v", given)
	}
	scribble(reflect.ValueOf(&given))
	t.here.used(want, r.ID)

	asked := []string{r.ID, "other"}
	_, err := t.here.usage.Usage(t.Context(), asked)
	t.answer(err, nil, "Usage")
	if !slices.Equal(asked, []string{r.ID, "other"}) {
		t.wrongf("Usage changed its argument to %q", asked)
	}
	scribble(reflect.ValueOf(&asked))
	t.here.used(want, r.ID)
}

func usageSharesNothing(t *trial) {
	r := t.put(t.key(alias("0a")))[0]
	want := usages{use(r.ID, 2, 1)}
	t.here.addUsage(want...)
	got, err := t.here.usage.Usage(t.Context(), []string{r.ID})
	t.answer(err, nil, "Usage")
	scribble(reflect.ValueOf(&got))
	t.here.used(want, r.ID)
}

func watchSharesNothing(t *trial) {
	vandal := t.here.listenTo(func(ids []string) {
		for i := range ids {
			ids[i] = "overwritten"
		}
	})
	ear := t.here.listen()
	for _, r := range t.keys(3, "k%d") {
		t.here.insert(r)
		since := ear.mark()
		t.here.update(r)
		t.hears(ear, since, r.ID, "Update, while another watcher overwrote its ids")
	}
	vandal.end()
}

// live is a record with all its fields set but the mark that ends it.
func (t *trial) live(id string) keystore.Record {
	r := t.complete(id)
	r.Revoked = keystore.Mark{}
	return r
}

// scribble sets everything to zero that can be reached through a slice or map.
func scribble(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		scribble(v.Elem())
	case reflect.Struct:
		for field, value := range v.Fields() {
			if field.IsExported() {
				scribble(value)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			scribble(v.Index(i))
			v.Index(i).SetZero()
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			v.SetMapIndex(key, reflect.Zero(v.Type().Elem()))
		}
		if !v.IsNil() {
			v.SetMapIndex(reflect.ValueOf("added"), reflect.Zero(v.Type().Elem()))
		}
	}
}
