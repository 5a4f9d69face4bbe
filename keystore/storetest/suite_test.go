package storetest

import (
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/claviger-go/claviger/keystore"
)

// The number in the package doc is the number of cases.
func TestCasesAreCounted(t *testing.T) {
	t.Parallel()
	count, known := 0, map[string]bool{}
	for _, d := range duties() {
		if len(d.cases) == 0 {
			t.Errorf("%s has no case", d.label)
		}
		for _, c := range d.cases {
			count++
			name := d.label + "/" + c.name
			if known[name] || !regexp.MustCompile(`^[A-Z][A-Za-z0-9]+$`).MatchString(c.name) {
				t.Errorf("%s: want a name of letters and digits, that no other case has", name)
			}
			known[name] = true
		}
	}
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf(" %d cases", count); !strings.Contains(string(doc), want) || count < 80 {
		t.Errorf("doc.go does not say%s", want)
	}
}

// What failures quote is what the interface says, word for word.
func TestDutiesAreThoseOfKeyStore(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "../store.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var doc strings.Builder
	for _, group := range file.Comments {
		doc.WriteString(group.Text())
	}
	text := strings.Join(strings.Fields(doc.String()), " ")
	stated := regexp.MustCompile(`- (KS\d+): `).FindAllStringSubmatch(text, -1)
	var labels []string
	for _, d := range duties() {
		if !strings.HasPrefix(d.label, "KS") {
			continue
		}
		labels = append(labels, d.label)
		if !strings.Contains(text+" - ", "- "+d.label+": "+d.text+" ") {
			t.Errorf("%s: the doc of keystore.KeyStore says otherwise than %q", d.label, d.text)
		}
	}
	if len(stated) != len(labels) {
		t.Errorf("the doc of keystore.KeyStore states %d duties, and %d are tested", len(stated), len(labels))
	}
}

func TestComplete(t *testing.T) {
	t.Parallel()
	r := (&trial{TB: t}).complete("a")
	requireSet(t, reflect.ValueOf(r), "Record")
	texts := map[string]string{}
	v := reflect.ValueOf(r)
	for index := range eachField(v.Type()) {
		shown := show(v.FieldByIndex(index))
		if other, ok := texts[shown]; ok && shown != "true" {
			t.Errorf("the fields %v and %v are both %s: one lost for the other would not be seen", other, index, shown)
		}
		texts[shown] = fmt.Sprint(index)
	}
	if err := fill(reflect.ValueOf(&struct{ F func() }{}).Elem(), "x", new(uint8)); err == nil {
		t.Error("a field of a type that fill does not know: want an error")
	}
	if err := fill(reflect.ValueOf(&struct{ hidden int }{}).Elem(), "x", new(uint8)); err == nil {
		t.Error("a field that fill cannot set: want an error")
	}
}

func requireSet(t *testing.T, v reflect.Value, path string) {
	t.Helper()
	if v.IsZero() {
		t.Errorf("%s is not set", path)
	}
	if !open(v.Type()) {
		return
	}
	for field, value := range v.Fields() {
		requireSet(t, value, path+"."+field.Name)
	}
}

// Every difference in a field is seen.
func TestDifference(t *testing.T) {
	t.Parallel()
	tr := &trial{TB: t}
	want := tr.complete("a")
	if d := difference(tr.complete("a"), want); !strings.Contains(d, "Record.Op") {
		t.Errorf("two records with an Op of their own: got the difference %q", d)
	}
	for index := range eachField(reflect.TypeFor[keystore.Record]()) {
		got := want
		reflect.ValueOf(&got).Elem().FieldByIndex(index).SetZero()
		d := difference(got, want)
		if name := reflect.TypeFor[keystore.Record]().FieldByIndex(index).Name; !strings.Contains(d, name) {
			t.Errorf("without %s: got the difference %q", name, d)
		}
	}
}

func TestPayloads(t *testing.T) {
	t.Parallel()
	for _, class := range payloads() {
		known := map[string]bool{}
		for _, text := range class.texts {
			if known[text] || text == "" {
				t.Errorf("%s: %q is empty, or comes twice", class.name, text)
			}
			known[text] = true
			if len(text) > 64 || !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
				t.Errorf("%s: %q is what Keys admits to no field", class.name, text)
			}
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	good := oneHandle(func(s full) keystore.KeyStore { return s })
	for _, tc := range []struct {
		desc    string
		factory Factory
		config  Config
		want    []string
	}{
		{"fine", good, Config{AdminStore: true}, nil},
		{"fine, with opt-outs", good, Config{AdminStore: true, Skip: map[string]string{"KS12": "x", "KS3/EndedLookup": "x"}}, nil},
		{"nothing set", nil, Config{}, []string{"the Factory is nil", "Config.Seed is nil"}},
		{
			"all wrong", good,
			Config{WatchDelay: -1, Rounds: -1, Skip: map[string]string{"KS17": "x", "KS1/Nothing": "x", "KS2": ""}},
			[]string{"Config.Seed", "Config.WatchDelay is -1ns", "Config.Rounds is -1", `Skip["KS17"]`, `Skip["KS1/Nothing"]`, `Skip["KS2"] is empty`},
		},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			t.Parallel()
			err := tc.config.problems(tc.factory)
			if (err == nil) != (tc.want == nil) {
				t.Fatalf("got %v, want %q", err, tc.want)
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want it to say %q", err, want)
				}
			}
		})
	}
}

func TestOptOuts(t *testing.T) {
	t.Parallel()
	s := quick(oneHandle(func(s full) keystore.KeyStore { return s }))
	s.Skip = map[string]string{"KS9": "deletes nothing", "KS1/Deleted": "as said"}
	s.Watcher = false
	for name, want := range map[string]string{
		"KS9/Nothing":          "opted out: deletes nothing",
		"KS9/StaysDeleted":     "opted out: deletes nothing",
		"KS1/Deleted":          "opted out: as said",
		"KS12/EveryWatcher":    "needs keystore.Watcher, which Config does not declare",
		"KS3/HungList":         "needs Config.Hang, which Config does not declare",
		"KS1/EmptyStore":       "",
		"KS3/EndedWatch":       "needs keystore.Watcher, which Config does not declare",
		"Capabilities/Watcher": "which Config does not declare: set Config.Watcher, or it goes untested",
	} {
		o := run(t, s, func(chosen string) bool { return chosen == name })
		if !strings.Contains(o.logs[name], want) || (want == "") != (len(o.passed) == 1) {
			t.Errorf("%s: got %q, want %q", name, o.logs[name], want)
		}
	}
}

func TestFactoryReturnsNil(t *testing.T) {
	t.Parallel()
	s := quick(func(testing.TB) (store, other keystore.KeyStore) { return nil, nil })
	o := run(t, s, func(name string) bool { return name == "KS1/EmptyStore" })
	if len(o.failed) != 1 || !strings.Contains(o.logs["KS1/EmptyStore"], "want two handles") {
		t.Errorf("got %q", o.logs)
	}
}

// An AdminStore's Seed stores what it is given, or the cases prove something else.
func TestSeedIsChecked(t *testing.T) {
	t.Parallel()
	for _, lie := range []func([]keystore.Record) []keystore.Record{
		func(records []keystore.Record) []keystore.Record { return records[1:] },
		func(records []keystore.Record) []keystore.Record {
			changed := slices.Clone(records)
			changed[0].Name = "changed"
			return changed
		},
	} {
		s := seeded()
		s.Seed = func(_ testing.TB, _ keystore.KeyStore, records []keystore.Record) []keystore.Record {
			return lie(records)
		}
		delete(s.Skip, "KS11/ManyRecords")
		if o := run(t, s, func(name string) bool { return name == "KS11/ManyRecords" }); len(o.failed) != 1 {
			t.Errorf("Seed that does not store all unchanged: got %v, want it to fail", o)
		}
	}
}

// The message of a failure is all that an author has at first.
func TestFailuresSayWhatAndWhy(t *testing.T) {
	t.Parallel()
	o := run(t, quick(oneHandle(func(s full) keystore.KeyStore { return insertSentTwiceExists{s} })), func(name string) bool {
		return name == "KS15/InsertTwice"
	})
	const want = `Insert, sent for the 2. time with the same Op: got keystore.ErrExists, want <nil>
KS15, doc of keystore.KeyStore: a mutation that a driver or a retry sends twice answers as if sent once: [Record.Op] tells it apart from somebody else's.`
	if got := o.logs["KS15/InsertTwice"]; !strings.HasPrefix(got, want) {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}
