package keystore_test

import (
	"context"
	"crypto/fips140"
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
)

// slowForm is how a person's secret is stored: OWASP's minimum, in FIPS mode by other means (T-132).
func slowForm() string {
	if fips140.Enabled() {
		return `\$pbkdf2-sha256\$i=600000\$[0-9A-Za-z+/]{22}\$[0-9A-Za-z+/]{43}`
	}
	return `\$argon2id\$v=19\$m=19456,t=2,p=1\$[0-9A-Za-z+/]{22}\$[0-9A-Za-z+/]{43}`
}

// T-019: what each way of making a credential leaves in the store.
func TestT019_StoredForms(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		desc   string
		config keystore.Config
		want   string
	}{
		{"nothing set", keystore.Config{}, `\$sha256\$ID\$[0-9A-Za-z+/]{43}`},
		{"ring", keystore.Config{Ring: ring(t, "2026", "2025")}, `\$hmac-sha256\$k=2026\$ID\$[0-9A-Za-z+/]{43}`},
		{"slow", keystore.Config{SlowHash: true}, `\$first4\$[0-9a-f]{8}` + slowForm()},
		{"slow with a ring", keystore.Config{SlowHash: true, Ring: ring(t, "2026")}, `\$first4\$[0-9a-f]{8}` + slowForm()},
	} {
		t.Run(row.desc, func(t *testing.T) {
			t.Parallel()
			store := newStub()
			row.config.AcceptForeign = true
			keys := openPatient(t, store, row.config)
			id, text := issue(t, keys, spec)
			imported := importKey(t, keys, foreignText)

			r, err := store.memory.Lookup(t.Context(), id)
			require.NoError(t, err)
			require.Len(t, r.Secrets, 1)
			require.Regexp(t, "^"+strings.ReplaceAll(row.want, "ID", id)+"$", r.Secrets[0].Hash)

			r, err = store.memory.Lookup(t.Context(), imported.ID)
			require.NoError(t, err)
			require.Len(t, r.Secrets, 1)
			require.Equal(t, "$none", r.Secrets[0].Hash)
			r, err = store.memory.Lookup(t.Context(), aliasID(foreignText))
			require.NoError(t, err)
			require.Empty(t, r.Secrets)

			requireAccepted(t, keys, text)
			requireAccepted(t, keys, foreignText)
			for _, piece := range []string{text, text[len(text)-49 : len(text)-6], foreignText} {
				require.NotContains(t, dump(t, store), piece)
			}
		})
	}
}

// dump is the store as a thief has it.
func dump(t *testing.T, store *stub) string {
	t.Helper()
	page, err := store.memory.List(t.Context(), keystore.Filter{Limit: keystore.MaxPage})
	require.NoError(t, err)
	require.Empty(t, page.Next)
	data, err := json.Marshal(page.Records)
	require.NoError(t, err)
	return string(data)
}

// T-019 and T-020: nothing that stands in the store opens anything, whole or in pieces.
func TestT019_NothingStoredIsACredential(t *testing.T) {
	t.Parallel()
	for _, config := range []keystore.Config{
		{}, {Ring: ring(t, "2026")}, {SlowHash: true}, {TagSecret: keystore.GenerateSecret()},
	} {
		for _, config.AcceptForeign = range []bool{true, false} {
			store := newStub()
			keys := openPatient(t, store, config)
			issue(t, keys, spec)
			foreign := config
			foreign.AcceptForeign = true
			importKey(t, openPatient(t, store, foreign), foreignText)

			stolen := dump(t, store)
			pieces := []string{stolen, "", "$none", "none"}
			for _, cut := range []string{`[^"]+`, `[^"$]+`, `[^"$:]+`, `[0-9A-Za-z]+`, `[0-9A-Za-z+/]+`, `\$[^"]+`, `\{[^{}]+\}`} {
				pieces = append(pieces, regexp.MustCompile(cut).FindAllString(stolen, -1)...)
			}
			ids := regexp.MustCompile(`"id":"([0-9A-Za-z]+)"`).FindAllStringSubmatch(stolen, -1)
			require.Len(t, ids, 2)
			for _, id := range ids {
				for _, digest := range regexp.MustCompile(`[0-9A-Za-z]{43}|[0-9a-f]{64}`).FindAllString(stolen, -1) {
					pieces = append(pieces, reform(t, "sk_live_"+id[1]+"_"+digest[:43]))
				}
				pieces = append(pieces, reform(t, "sk_live_"+id[1]+"_"+strings.Repeat("0", 43)))
			}
			for _, piece := range pieces {
				for _, presented := range []string{piece, "sha256:" + piece, strings.TrimPrefix(piece, "sha256:")} {
					p, err := keys.Verify(t.Context(), presented)
					require.Error(t, err, presented)
					require.NotErrorIs(t, err, keystore.ErrUnavailable, presented)
					require.Nil(t, p)
				}
			}
		}
	}
}

// T-032: what a hostile or torn row says is no answer, neither yes nor no, and somebody hears of it.
func TestT032_HostileStoredHash(t *testing.T) {
	t.Parallel()
	store := newStub()
	keys := openPatient(t, store, keystore.Config{Ring: ring(t, "2026")})
	id, text := issue(t, keys, spec)
	other, _ := issue(t, keys, spec)
	lookup := func(id string) string {
		r, err := store.memory.Lookup(t.Context(), id)
		require.NoError(t, err)
		return r.Secrets[0].Hash
	}
	good := lookup(id)
	const salt, digest = "MDEyMzQ1Njc4OWFiY2RlZg", "cBg8D2DungRB9k76szThf5ehfyBz991ay6PT8Srwk4M"
	rows := map[string]string{
		"empty":                    "",
		"torn":                     good[:len(good)-3],
		"empty digest":             good[:strings.LastIndex(good, "$")+1],
		"of another record":        lookup(other),
		"unknown scheme":           strings.Replace(good, "$hmac-sha256$", "$hmac-md5$", 1),
		"unknown ring secret":      strings.Replace(good, "k=2026", "k=2027", 1),
		"a person's":               "$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$" + digest,
		"1 MiB":                    good + strings.Repeat("A", 1<<20),
		"first4 alone":             "$first4$00000000",
		"first4 of the wrong form": "$first4$00000000" + good,
	}
	for params, bad := range map[string]string{
		"4 GiB": "v=19$m=4194304,t=2,p=1", "a million passes": "v=19$m=19456,t=1000000,p=1", "no lanes": "v=19$m=19456,t=2,p=0",
		"an old version": "v=16$m=19456,t=2,p=1",
	} {
		rows[params] = "$first4$00000000$argon2id$" + bad + "$" + salt + "$" + digest
	}
	for desc, hash := range rows {
		store.bend(func(_ context.Context, _ string, ask func() (keystore.Record, error)) (keystore.Record, error) {
			r, err := ask()
			r.Secrets[0].Hash = hash
			return r, err
		})
		var faults []error
		fresh := openPatient(t, store, keystore.Config{
			Ring: ring(t, "2026"), MaxStaleness: -1,
			OnEvent: func(_ context.Context, e keystore.Event) { faults = append(faults, e.Err) },
		})
		_, err := fresh.Verify(t.Context(), text)
		require.ErrorIs(t, err, keystore.ErrUnavailable, desc)
		requireUnavailable(t, err)
		require.NoError(t, fresh.Close())
		require.Len(t, faults, 1, desc)
		require.ErrorContains(t, faults[0], id, desc)
		require.Less(t, len(err.Error()), 1000, desc)
		store.bend(nil)
		requireAccepted(t, fresh, text)
	}
}
