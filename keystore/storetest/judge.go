package storetest

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/claviger-go/claviger/keystore"
)

// wrongf fails the trial, and says which duty of which doc is broken.
func (t *trial) wrongf(format string, args ...any) {
	t.Helper()
	source := "doc of keystore.KeyStore"
	if !strings.HasPrefix(t.duty.label, "KS") {
		source = "doc of storetest"
	}
	t.Errorf("%s\n%s, %s: %s", fmt.Sprintf(format, args...), t.duty.label, source, t.duty.text)
}

// stopIfFailed ends a trial in which nothing further can be learnt. It is for
// the trial's own goroutine.
func (t *trial) stopIfFailed() {
	t.Helper()
	if t.Failed() {
		t.FailNow()
	}
}

// answer checks that err is what a store has to say: want, or nil, and none of
// the other answers besides.
func (t *trial) answer(err, want error, what string, args ...any) bool {
	t.Helper()
	right := (err == nil) == (want == nil) && errors.Is(err, want)
	for _, other := range definite() {
		right = right && (errors.Is(other, want) || !errors.Is(err, other))
	}
	if !right {
		t.wrongf("%s: got %s, want %s", fmt.Sprintf(what, args...), describe(err), describe(want))
	}
	return right
}

// cannotAnswer checks that err says neither yes nor no.
func (t *trial) cannotAnswer(err error, what string, args ...any) {
	t.Helper()
	for _, definite := range definite() {
		if errors.Is(err, definite) {
			t.wrongf("%s: got %s, want an error that is no answer of a store", fmt.Sprintf(what, args...), describe(err))
		}
	}
}

// definite are the errors that say more than "cannot answer".
func definite() []error {
	return []error{
		keystore.ErrNotFound, keystore.ErrExists, keystore.ErrQuota, keystore.ErrConflict, keystore.ErrRevoked, keystore.ErrReadOnly,
	}
}

func describe(err error) string {
	for answer, name := range map[error]string{
		keystore.ErrNotFound: "keystore.ErrNotFound", keystore.ErrExists: "keystore.ErrExists",
		keystore.ErrQuota: "keystore.ErrQuota", keystore.ErrConflict: "keystore.ErrConflict",
		keystore.ErrRevoked: "keystore.ErrRevoked", keystore.ErrReadOnly: "keystore.ErrReadOnly",
	} {
		switch {
		case err == answer: //nolint:errorlint // a wrapped one is printed with what it is wrapped in
			return name
		case errors.Is(err, answer):
			return fmt.Sprintf("%s (%v)", name, err)
		}
	}
	return fmt.Sprint(err)
}

// same checks that a record came back as it has to.
func (t *trial) same(got, want keystore.Record, what string, args ...any) {
	t.Helper()
	if d := difference(got, want); d != "" {
		t.wrongf("%s: another record came back than was stored:\n%s", fmt.Sprintf(what, args...), d)
	}
}

// difference lists the fields in which two records differ.
func difference(got, want keystore.Record) string {
	if reflect.DeepEqual(got, want) {
		return "" // the usual case, at once
	}
	fields := compare("Record", reflect.ValueOf(got), reflect.ValueOf(want))
	const most = 6
	if len(fields) > most {
		fields = append(fields[:most], fmt.Sprintf("  and %d more", len(fields)-most))
	}
	return strings.Join(fields, "\n")
}

func compare(path string, got, want reflect.Value) []string {
	unequal := func() []string { return []string{fmt.Sprintf("  %s: got %s, want %s", path, show(got), show(want))} }
	if want.Type() == reflect.TypeFor[time.Time]() {
		g, _ := reflect.TypeAssert[time.Time](got)
		w, _ := reflect.TypeAssert[time.Time](want)
		if !g.Equal(w) { // in which zone is up to KS10
			return unequal()
		}
		return nil
	}
	switch {
	case open(want.Type()):
		var found []string
		for field, w := range want.Fields() {
			found = append(found, compare(path+"."+field.Name, got.FieldByIndex(field.Index), w)...)
		}
		return found
	case want.Kind() == reflect.Slice && got.Len() == want.Len() && got.IsNil() == want.IsNil():
		var found []string
		for i := range want.Len() {
			found = append(found, compare(fmt.Sprintf("%s[%d]", path, i), got.Index(i), want.Index(i))...)
		}
		return found
	case !reflect.DeepEqual(got.Interface(), want.Interface()):
		return unequal()
	}
	return nil
}

// open reports whether a struct shows all that is in it.
func open(t reflect.Type) bool {
	if t.Kind() != reflect.Struct {
		return false
	}
	for field := range t.Fields() {
		if !field.IsExported() {
			return false
		}
	}
	return true
}

func show(v reflect.Value) string {
	text := fmt.Sprintf("%v", v.Interface())
	if v.Kind() == reflect.String {
		text = fmt.Sprintf("%q", text)
	}
	if (v.Kind() == reflect.Slice || v.Kind() == reflect.Map) && v.IsNil() {
		text = "nil"
	}
	return cut(text)
}

// cut shortens what a message quotes.
func cut(text string) string {
	const most = 120
	if len(text) > most {
		return fmt.Sprintf("%s… (%d bytes)", text[:most], len(text))
	}
	return text
}
