package keystore

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/scopes"
)

// filled is a record in which nothing is zero, in no depth. A field of a type that fill does not know fails the test:
// teach it, and then see whether clone, times, validate and format know the field too.
func filled(t testing.TB) Record {
	t.Helper()
	var r Record
	n := 0
	fill(t, reflect.ValueOf(&r).Elem(), "Record", &n)
	return r
}

func fill(t testing.TB, v reflect.Value, path string, n *int) {
	t.Helper()
	*n++
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Date(2026, 1, 1, 0, 0, *n, *n*1000, time.UTC)))
		return
	case scopes.Set:
		v.Set(reflect.ValueOf(scopes.MustSet("claims:*", scopes.Scope(fmt.Sprintf("reports:read%d", *n)))))
		return
	case netip.Prefix:
		v.Set(reflect.ValueOf(netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(*n), 0}), 24)))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("text %d <&>\u2028", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n))
	case reflect.Uint8, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(*n))
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(t, v.Index(i), fmt.Sprintf("%s[%d]", path, i), n)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range 2 {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(t, key, path+" key", n)
			fill(t, value, path+" value", n)
			v.SetMapIndex(key, value)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			field := v.Type().Field(i)
			require.True(t, field.IsExported(), "%s.%s would not be stored", path, field.Name)
			require.NotEmpty(t, field.Tag.Get("json"), "%s.%s has no name in the stored form", path, field.Name)
			fill(t, v.Field(i), path+"."+field.Name, n)
		}
	default:
		t.Fatalf("%s: fill does not know the type %s", path, v.Type())
	}
}

// walk visits all that v holds.
func walk(v reflect.Value, visit func(reflect.Value)) {
	visit(v)
	switch v.Kind() {
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			walk(v.Index(i), visit)
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			walk(v.MapIndex(key), visit)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				walk(v.Field(i), visit)
			}
		}
	}
}

// KS14: every field comes back.
func TestRecord_EveryFieldComesBack(t *testing.T) {
	t.Parallel()
	want := filled(t)
	walk(reflect.ValueOf(want), func(v reflect.Value) { require.False(t, v.IsZero(), "fill left a %s empty", v.Type()) })
	data, err := json.Marshal(want)
	require.NoError(t, err)
	var got Record
	require.NoError(t, json.Unmarshal(data, &got))
	require.Equal(t, want, got)

	// Also into a record that holds something else.
	dirty := filled(t)
	require.NoError(t, json.Unmarshal([]byte(`{"format":1,"id":"x","version":0,"kind":"","created":"0001-01-01T00:00:00Z"}`), &dirty))
	require.Equal(t, Record{ID: "x"}, dirty)
}

func TestRecord_ZeroRoundTrip(t *testing.T) {
	t.Parallel()
	data, err := json.Marshal(Record{})
	require.NoError(t, err)
	require.JSONEq(t, `{"format":1,"id":"","version":0,"kind":"","created":"0001-01-01T00:00:00Z"}`, string(data))
	var got Record
	require.NoError(t, json.Unmarshal(data, &got))
	require.Equal(t, Record{}, got)
}

// A list that is set but empty allows nothing, and must not come back as one that is not set.
func TestRecord_EmptyListIsNotNone(t *testing.T) {
	t.Parallel()
	want := Record{Limits: Limits{Networks: []netip.Prefix{}, Audiences: []string{}, Methods: []string{}}}
	data, err := json.Marshal(want)
	require.NoError(t, err)
	var got Record
	require.NoError(t, json.Unmarshal(data, &got))
	require.Equal(t, want, got)
}

func TestClone_SharesNothing(t *testing.T) {
	t.Parallel()
	original, untouched := filled(t), filled(t)
	clone := original.clone()
	require.Equal(t, original, clone)
	n := 1000
	spoil(t, reflect.ValueOf(&clone).Elem(), &n)
	require.Equal(t, untouched, original)
	require.Equal(t, Record{}, Record{}.clone())
}

// spoil writes into every slice and map of v, without replacing one.
func spoil(t *testing.T, v reflect.Value, n *int) {
	t.Helper()
	walk(v, func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Slice:
			for i := range v.Len() {
				fill(t, v.Index(i), "element", n)
			}
		case reflect.Map:
			for _, key := range v.MapKeys() {
				v.SetMapIndex(key, reflect.Zero(v.Type().Elem()))
			}
		}
	})
}

// KS10, for each time there is: UTC, to the microsecond, and the zero time stays zero.
func TestRecord_TimesAreNormalized(t *testing.T) {
	t.Parallel()
	east := time.FixedZone("east", 2*60*60)
	strange := time.Date(2026, 11, 22, 1, 2, 3, 4_567_891, east)
	want := time.Date(2026, 11, 21, 23, 2, 3, 4_567_000, time.UTC)
	r := filled(t)
	count := 0
	walk(reflect.ValueOf(&r).Elem(), func(v reflect.Value) {
		if _, ok := reflect.TypeAssert[time.Time](v); ok {
			v.Set(reflect.ValueOf(strange))
			count++
		}
	})
	encoded, err := json.Marshal(r)
	require.NoError(t, err)
	require.Equal(t, count, strings.Count(string(encoded), `"2026-11-21T23:02:03.004567Z"`))
	require.Equal(t, strange, r.Secrets[0].Created, "MarshalJSON wrote into its record")

	var decoded Record
	require.NoError(t, json.Unmarshal([]byte(strings.ReplaceAll(string(encoded), "21T23:02:03.004567Z", "22T01:02:03.004567891+02:00")), &decoded))
	r.normalize()
	require.Equal(t, r, decoded)
	for _, record := range []Record{r, decoded} {
		walk(reflect.ValueOf(record), func(v reflect.Value) {
			if at, ok := reflect.TypeAssert[time.Time](v); ok {
				require.Equal(t, want, at)
			}
		})
	}

	zero := Record{Secrets: make([]StoredSecret, 2)}
	zero.normalize()
	require.Equal(t, Record{Secrets: make([]StoredSecret, 2)}, zero)
}

// typical is a record as most are; its stored form must not change unnoticed, since stores are full of it.
var typical = Record{
	ID: "7Gk2mXw9QaTz", Version: 1795316401000000, Op: "00112233445566ff", Kind: KindAPIKey,
	Owner: "acme", Type: "ucd", Env: EnvLive, Name: "Nightly import", Scopes: scopes.MustSet("claims:*", "reports:read"),
	Secrets: []StoredSecret{{
		N: 1, Hash: "$sha256$7Gk2mXw9QaTz$MAomI2WbBBYvureUW1dplwrAIGsLoZkZVpwYUsFQS6Y",
		Created: time.Date(2026, 11, 22, 3, 0, 1, 0, time.UTC),
	}},
	Limits:  Limits{Networks: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, Methods: []string{"GET"}, ServerOnly: true},
	Created: time.Date(2026, 11, 22, 3, 0, 1, 0, time.UTC), CreatedBy: "ada",
	Expires:   time.Date(2027, 11, 22, 3, 0, 1, 123456000, time.UTC),
	Suspended: Mark{At: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC), Reason: ReasonMisuse, By: "ada"},
	Meta:      map[string]string{"team": "claims"},
}

const typicalGolden = `{"format":1,"id":"7Gk2mXw9QaTz","version":1795316401000000,"op":"00112233445566ff","kind":"api_key",` +
	`"owner":"acme","type":"ucd","env":"live","name":"Nightly import","scopes":["claims:*","reports:read"],` +
	`"secrets":[{"n":1,"hash":"$sha256$7Gk2mXw9QaTz$MAomI2WbBBYvureUW1dplwrAIGsLoZkZVpwYUsFQS6Y","created":"2026-11-22T03:00:01Z"}],` +
	`"limits":{"networks":["192.0.2.0/24"],"methods":["GET"],"server_only":true},` +
	`"created":"2026-11-22T03:00:01Z","created_by":"ada","expires":"2027-11-22T03:00:01.123456Z",` +
	`"suspended":{"at":"2026-12-01T00:00:00Z","reason":"misuse","by":"ada"},"meta":{"team":"claims"}}`

func TestRecord_Golden(t *testing.T) {
	t.Parallel()
	data, err := json.Marshal(typical)
	require.NoError(t, err)
	require.Equal(t, typicalGolden, string(data)) //nolint:testifylint // byte for byte, the order too
	var got Record
	require.NoError(t, json.Unmarshal([]byte(typicalGolden), &got))
	require.Equal(t, typical, got)
}

// The names of all members: an old process refuses a record with a new one, so a new one needs a new format.
func TestRecord_MemberNames(t *testing.T) {
	t.Parallel()
	data, err := json.Marshal(filled(t))
	require.NoError(t, err)
	names := map[string]bool{}
	var members func(any)
	members = func(value any) {
		switch value := value.(type) {
		case map[string]any:
			for name, member := range value {
				names[name] = true
				members(member)
			}
		case []any:
			for _, member := range value {
				members(member)
			}
		}
	}
	var object map[string]any
	require.NoError(t, json.Unmarshal(data, &object))
	delete(object, "meta")
	members(object)
	var got []string
	for name := range names {
		got = append(got, name)
	}
	require.Equal(t, 1, currentFormat)
	require.ElementsMatch(t, strings.Fields(`
		format id version op kind parent parent_secret owner type env name scopes
		secrets n hash created expires generation lowest issued seed signer
		limits networks denied_networks audiences methods routes server_only services rate requests per burst idle_timeout
		reminded due expiring expired client redirect_uris grants public grant redirect_uri challenge
		created_by not_before suspended revoked at reason by`), got)
}
