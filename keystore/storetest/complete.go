package storetest

import (
	"fmt"
	"iter"
	"net/netip"
	"reflect"
	"slices"
	"time"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/scopes"
)

// complete is a record with every field set, each to a value of its own. A field
// that keystore adds is set without a change here, or ends the trial.
func (t *trial) complete(id string) keystore.Record {
	t.Helper()
	var r keystore.Record
	var set uint8
	if err := fill(reflect.ValueOf(&r).Elem(), "Record", &set); err != nil {
		t.Fatalf("storetest: %v: teach fill", err)
	}
	// What Keys would refuse by its form.
	r.ID, r.Parent, r.Op, r.Version = id, alias("f0"), t.op(), 7
	r.Kind, r.Env = keystore.KindSession, keystore.EnvTest
	r.Limits.Methods = []string{"GET", "PATCH"}
	return r
}

// fill sets v and all that is in it; n counts the values.
func fill(v reflect.Value, path string, n *uint8) error {
	*n++
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(at(int(*n)).Add(time.Duration(*n) * time.Millisecond)))
		return nil
	case netip.Prefix:
		v.Set(reflect.ValueOf(netip.PrefixFrom(netip.AddrFrom4([4]byte{10, *n, 0, 0}), 16)))
		return nil
	case scopes.Set:
		v.Set(reflect.ValueOf(scopes.MustSet("claims:read", scopes.Scope(fmt.Sprintf("reports%d:*", *n)))))
		return nil
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("%s %d: é, \"quoted\", <&>, \\, \u2028, \U0001F511", path, *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(int64(*n) * 1_000_003)
	case reflect.Uint8:
		v.SetUint(uint64(*n))
	case reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(*n) * 1_000_003)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			if err := fill(v.Index(i), fmt.Sprintf("%s[%d]", path, i), n); err != nil {
				return err
			}
		}
	case reflect.Map:
		return fillMap(v, path, n)
	case reflect.Struct:
		for field, value := range v.Fields() {
			if !field.IsExported() {
				return fmt.Errorf("%s.%s cannot be set", path, field.Name)
			}
			if err := fill(value, path+"."+field.Name, n); err != nil {
				return err
			}
		}
	default:
		return fmt.Errorf("%s is a %v", path, v.Type())
	}
	return nil
}

func fillMap(v reflect.Value, path string, n *uint8) error {
	v.Set(reflect.MakeMap(v.Type()))
	for range 2 {
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		if err := fill(key, path+" key", n); err != nil {
			return err
		}
		if err := fill(value, path+" value", n); err != nil {
			return err
		}
		v.SetMapIndex(key, value)
	}
	return nil
}

// eachField yields the places of all fields of a type of struct; those that are
// structs in turn are replaced by theirs, unless they decide themselves when they
// are zero.
func eachField(t reflect.Type) iter.Seq[[]int] {
	return func(yield func([]int) bool) {
		for field := range t.Fields() {
			_, whole := field.Type.MethodByName("IsZero")
			if whole || !open(field.Type) {
				if !yield(field.Index) {
					return
				}
				continue
			}
			for index := range eachField(field.Type) {
				if !yield(slices.Concat(field.Index, index)) {
					return
				}
			}
		}
	}
}
