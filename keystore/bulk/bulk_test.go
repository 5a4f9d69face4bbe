package bulk_test

import (
	"bytes"
	"context"
	"crypto/fips140"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/memstore"
	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/keystore/bulk"
)

const (
	plain = "6aa0fa0712ab34cd56ef7890abcdef12"
	other = "0123456789abcdef0123456789abcdef"
	// bcryptHash is of "correct horse", with the least cost there is.
	bcryptHash = "$2a$04$8CXBFnvIhVlCpQ1fTJBN1OIgsBDSDa6HOxPF8jdQCLnajpGsvNWVq"
)

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func open(t testing.TB, store keystore.KeyStore) *keystore.Keys {
	t.Helper()
	keys, err := keystore.New(store, keystore.Config{AcceptForeign: true, LookupTimeout: time.Minute})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, keys.Close()) })
	return keys
}

func count(t testing.TB, keys *keystore.Keys) (n int) {
	t.Helper()
	for _, err := range keys.All(t.Context(), keystore.Filter{}) {
		require.NoError(t, err)
		n++
	}
	return n
}

// M1: keys that exist already work on as they are, and are looked at again without harm.
func TestImport_BothFormats(t *testing.T) {
	t.Parallel()
	for format, file := range map[bulk.Format]string{
		bulk.CSV: "\ufeffkey,sha256,owner,name,type,env,scopes,expires,meta.plan\n" +
			plain + ",,acme,\"Shop, main\",ucd,live,events:write events:read,2099-01-02T03:04:05Z,gold\n" +
			"," + digest(other) + ",acme,,,test,,,\n",
		bulk.JSONLines: `{"key":"` + plain + `","owner":"acme","name":"Shop, main","type":"ucd","env":"live",` +
			`"scopes":["events:write","events:read"],"expires":"2099-01-02T03:04:05Z","meta":{"plan":"gold"}}` + "\n\n" +
			`{"sha256":"` + digest(other) + `","owner":"acme","env":"test"}`,
	} {
		t.Run(string(format), func(t *testing.T) {
			t.Parallel()
			keys := open(t, memstore.New())
			config := bulk.Config{Format: format, DryRun: true}
			report, err := bulk.Import(t.Context(), keys, strings.NewReader(file), config)
			require.NoError(t, err)
			require.Equal(t, bulk.Report{Imported: 2}, report)
			require.Zero(t, count(t, keys))

			config.DryRun = false
			report, err = bulk.Import(t.Context(), keys, strings.NewReader(file), config)
			require.NoError(t, err)
			require.Equal(t, bulk.Report{Imported: 2}, report)
			p, err := keys.Verify(t.Context(), plain)
			require.NoError(t, err)
			require.Equal(t, "acme Shop, main ucd live [events:read events:write] 2099-01-02 03:04:05 +0000 UTC",
				fmt.Sprint(p.Owner(), " ", p.Name(), " ", p.Type(), " ", p.Env(), " ", p.Scopes().Scopes(), " ", p.Expires()))
			plan, _ := p.Meta("plan")
			require.Equal(t, "gold", plan)
			p, err = keys.Verify(t.Context(), other)
			require.NoError(t, err)
			require.Equal(t, keystore.EnvTest, p.Env())

			report, err = bulk.Import(t.Context(), keys, strings.NewReader(file), config)
			require.NoError(t, err)
			require.Equal(t, bulk.Report{Existing: 2}, report)
			require.Equal(t, 4, count(t, keys), "each a key and its alias")
		})
	}
}

// One bad line, and nothing is imported; the report says of each what is wrong, and quotes no key.
func TestImport_RefusedLines(t *testing.T) {
	t.Parallel()
	file := strings.Join([]string{
		`{"key":"` + plain + `","owner":"acme"}`,
		`{"key":"` + plain + `","owner":"acme"}`,
		`{"key":"short","owner":"acme"}`,
		`{"key":"` + other + `"}`,
		`{"key":"` + other + `","owner":"acme","scopes":["events:*:x"]}`,
		`{"key":"` + other + `","owner":"acme","expires":"` + other + `"}`,
		`{"key":"` + other + `","owner":"acme","expires":"2001-01-01T00:00:00Z"}`,
		`{"key":"` + other + `","sha256":"` + digest(other) + `","owner":"acme"}`,
		`{"owner":"acme"}`,
		`{"sha256":"abc","owner":"acme"}`,
		`{"key":"` + keystore.ExampleCredential + `","owner":"acme"}`,
		`{"key":"` + other + `","owner":"acme","` + other + `":1}`,
		`{"key":["` + other + `"],"owner":"acme"}`,
		`{"key":"` + other + `","owner":"acme"} {}`,
		other,
		`{"kind":"session","owner":"acme"}`,
		`{"kind":"client","id":"a-b","hash":"` + bcryptHash + `","owner":"acme"}`,
		`{"kind":"client","id":"ab","hash":"$1$md5","owner":"acme"}`,
		`{"kind":"client","id":"ab","key":"` + other + `","owner":"acme"}`,
		`{"hash":"` + bcryptHash + `","owner":"acme"}`,
	}, "\n")
	keys := open(t, memstore.New())
	report, err := bulk.Import(t.Context(), keys, strings.NewReader(file), bulk.Config{Format: bulk.JSONLines})
	require.ErrorIs(t, err, bulk.ErrRefused)
	require.Zero(t, count(t, keys))
	require.Zero(t, report.Imported)
	require.Len(t, report.Refused, 19)
	for i, refusal := range report.Refused {
		require.Equal(t, i+2, refusal.Line)
		for _, secret := range []string{plain, other, keystore.ExampleCredential} {
			require.NotContains(t, refusal.Err.Error(), secret)
		}
	}
	require.EqualError(t, report.Refused[0].Err, "the same key as on line 1")
	require.ErrorIs(t, report.Refused[1].Err, keystore.ErrWeakKey)
	require.ErrorContains(t, report.Refused[2].Err, "Owner is empty")
	require.ErrorContains(t, report.Refused[4].Err, "expires: want a time")
	require.ErrorContains(t, report.Refused[18].Err, "slow hash")

	report, err = bulk.Import(t.Context(), keys, strings.NewReader(file), bulk.Config{Format: bulk.JSONLines, SkipRefused: true})
	require.NoError(t, err)
	require.Equal(t, 1, report.Imported)
	_, err = keys.Verify(t.Context(), plain)
	require.NoError(t, err)

	report, err = bulk.Import(t.Context(), keys, strings.NewReader(`{"key":"`+plain+`","owner":"else"}`), bulk.Config{Format: bulk.JSONLines})
	require.ErrorIs(t, err, bulk.ErrRefused)
	require.ErrorContains(t, report.Refused[0].Err, "for another owner")
}

// What was imported is no mistake of the file when its line has expired since.
func TestImport_RepeatedAfterExpiry(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, time.November, 22, 3, 0, 0, 0, time.UTC)
	keys, err := keystore.New(memstore.New(), keystore.Config{Now: func() time.Time { return now }})
	require.NoError(t, err)
	file := "key,owner,expires\n" + plain + ",acme,2026-11-23T00:00:00Z\n" + other + ",acme,\n"
	report, err := bulk.Import(t.Context(), keys, strings.NewReader(file), bulk.Config{Format: bulk.CSV})
	require.NoError(t, err)
	require.Equal(t, 2, report.Imported)
	now = now.Add(48 * time.Hour)
	report, err = bulk.Import(t.Context(), keys, strings.NewReader(file), bulk.Config{Format: bulk.CSV})
	require.NoError(t, err)
	require.Equal(t, bulk.Report{Existing: 2}, report)
}

// What is wrong with the file as a whole ends the import before it begins.
func TestImport_UnreadableFile(t *testing.T) {
	t.Parallel()
	for desc, tt := range map[string]struct {
		format bulk.Format
		file   string
		want   string
	}{
		"no format":        {"", "", "Config.Format"},
		"no header":        {bulk.CSV, plain + ",acme\n", "column 1 of the first line is no column that is known"},
		"a column twice":   {bulk.CSV, "key,owner,key\n", "column 3 of the first line is there twice"},
		"a torn quote":     {bulk.CSV, "key,owner\n\"" + plain + ",acme\n", "cannot be read"},
		"an endless line":  {bulk.JSONLines, strings.Repeat("x", 65<<10), "after line 0"},
		"an unnamed meta.": {bulk.CSV, "key,meta.\n", "column 2"},
	} {
		keys := open(t, memstore.New())
		_, err := bulk.Import(t.Context(), keys, strings.NewReader(tt.file), bulk.Config{Format: tt.format})
		require.ErrorContains(t, err, tt.want, desc)
		require.NotContains(t, err.Error(), plain, desc)
		require.Zero(t, count(t, keys))
	}
	keys := open(t, memstore.New())
	report, err := bulk.Import(t.Context(), keys, strings.NewReader("key,owner\n"+plain+"\n"+other+",acme\n"), bulk.Config{Format: bulk.CSV, SkipRefused: true})
	require.NoError(t, err)
	require.Equal(t, 1, report.Imported)
	require.Equal(t, 2, report.Refused[0].Line)
	require.EqualError(t, report.Refused[0].Err, "1 columns, where the first line names 2")
}

// failing stops taking records after some.
type failing struct {
	*memstore.Store
	left int
}

var errDown = errors.New("connection refused")

func (f *failing) Insert(ctx context.Context, r keystore.Record, q keystore.Quota) error {
	if f.left--; f.left < 0 {
		return errDown
	}
	return f.Store.Insert(ctx, r, q)
}

// T-116: whatever ends an import, no key is left half done, and the same file completes it.
func TestImport_Interrupted(t *testing.T) {
	t.Parallel()
	var file bytes.Buffer
	file.WriteString("key,owner\n")
	const keysInFile = 2500
	for i := range keysInFile {
		fmt.Fprintf(&file, "%032x,acme\n", i)
	}
	for left := range 7 {
		store := &failing{memstore.New(), left}
		keys := open(t, store)
		report, err := bulk.Import(t.Context(), keys, bytes.NewReader(file.Bytes()), bulk.Config{Format: bulk.CSV})
		require.ErrorIs(t, err, errDown)
		require.ErrorIs(t, err, keystore.ErrUnavailable)
		require.Equal(t, left/2, report.Imported)
		require.Equal(t, left/2*2, count(t, keys))
	}
	store := &failing{memstore.New(), 2101}
	keys := open(t, store)
	var progress []int
	config := bulk.Config{Format: bulk.CSV, Progress: func(r bulk.Report) { progress = append(progress, r.Imported) }}
	_, err := bulk.Import(t.Context(), keys, bytes.NewReader(file.Bytes()), config)
	require.ErrorIs(t, err, errDown)
	store.left = 1e9
	report, err := bulk.Import(t.Context(), keys, bytes.NewReader(file.Bytes()), config)
	require.NoError(t, err)
	require.Equal(t, bulk.Report{Imported: keysInFile - 1050, Existing: 1050}, report)
	require.Equal(t, []int{1000, 1000}, progress)
	_, err = keys.Verify(t.Context(), fmt.Sprintf("%032x", keysInFile-1))
	require.NoError(t, err)
}

// A client is found by its id, so a slow hash will do; it is hashed anew at first use.
func TestImport_Client(t *testing.T) {
	t.Parallel()
	if fips140.Enabled() {
		t.Skip("bcrypt is refused in FIPS mode")
	}
	store := memstore.New()
	keys := open(t, store)
	report, err := bulk.Import(t.Context(), keys, strings.NewReader("kind,id,hash,owner,scopes\nclient,shop1,"+bcryptHash+",acme,events:write\n"),
		bulk.Config{Format: bulk.CSV})
	require.NoError(t, err, "%v", report)
	for _, wrong := range []string{"", "correct hors", "correct horse ", strings.Repeat("x", 2000)} {
		_, err = keys.VerifyClient(t.Context(), "shop1", keystore.NewSecret(wrong))
		var refused *keystore.RefusedError
		require.ErrorAs(t, err, &refused, wrong)
		require.Equal(t, keystore.OutcomeWrongSecret, refused.Outcome)
	}
	p, err := keys.VerifyClient(t.Context(), "shop1", keystore.NewSecret("correct horse"))
	require.NoError(t, err)
	require.Equal(t, keystore.KindClient, p.Kind())
	require.Equal(t, "shop1", p.KeyID())
	r, err := store.Lookup(t.Context(), "shop1")
	require.NoError(t, err)
	require.Contains(t, r.Secrets[0].Hash, "$argon2id$")
	_, err = keys.VerifyClient(t.Context(), "shop1", keystore.NewSecret("correct horse"))
	require.NoError(t, err)
}
