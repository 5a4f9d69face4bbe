package filestore_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/filestore"
	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/scopes"
)

func TestFileForPeople(t *testing.T) {
	t.Parallel()
	path := place(t)
	s := create(t, path)
	bare := func(id string, seconds int) keystore.Record {
		return keystore.Record{ID: id, Version: 1, Kind: keystore.KindAPIKey, Name: "a\n<b>", Created: numbered(seconds).Created}
	}
	const line = `{"format":1,"id":"%s","version":%d,"kind":"api_key","name":"a\n\u003cb\u003e","created":"2026-11-22T02:36:%s.123456Z"}` + "\n"
	want := func(generation int, lines string) string {
		text := fmt.Sprintf(`{"claviger":"filestore","format":1,"generation":%d,"records":[`+"\n", generation) + lines
		return text + fmt.Sprintf(`],"sha256":"%x"}`+"\n", sha256.Sum256([]byte(text)))
	}
	require.Equal(t, want(1, ""), string(read(t, path)))
	insert(t, s, bare("b", 2))
	require.Equal(t, want(2, " "+fmt.Sprintf(line, "b", 1, "02")), string(read(t, path)))
	insert(t, s, bare("a", 1), bare("c", 3))
	require.Equal(t, want(4, " "+fmt.Sprintf(line, "a", 1, "01")+","+fmt.Sprintf(line, "b", 1, "02")+","+fmt.Sprintf(line, "c", 1, "03")),
		string(read(t, path)))
	require.NoError(t, s.Update(t.Context(), bare("b", 2)))
	require.NoError(t, s.Delete(t.Context(), "a", 0))
	require.Equal(t, want(6, " "+fmt.Sprintf(line, "b", 2, "02")+","+fmt.Sprintf(line, "c", 1, "03")), string(read(t, path)))

	var whole struct {
		Records []keystore.Record `json:"records"`
	}
	require.NoError(t, json.Unmarshal(read(t, path), &whole), "it is one JSON document")
	require.Len(t, whole.Records, 2)

	// The sum is that of `sed '$d' keys.json | sha256sum`, as the package's documentation says.
	text := string(read(t, path))
	last := strings.LastIndex(strings.TrimSuffix(text, "\n"), "\n") + 1
	require.Contains(t, text[last:], fmt.Sprintf("%x", sha256.Sum256([]byte(text[:last]))))
}

// Whatever the sequence of mutations here and elsewhere, a handle that read them one by one and one that opens the file
// afterwards agree with what was written.
func TestIncrementalReading(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	path := place(t)
	writers := []*filestore.Store{create(t, path), open(t, path), open(t, path)}
	want := map[string]keystore.Record{}
	for range 300 {
		s := writers[random.IntN(len(writers))]
		id := strconv.Itoa(random.IntN(12))
		r, exists := want[id]
		switch {
		case !exists:
			r = apiKey(id, op(strconv.Itoa(random.Int())))
			r.Created = numbered(random.IntN(5)).Created
			require.NoError(t, s.Insert(t.Context(), r, unlimited))
			want[id] = r
		case random.IntN(3) == 0:
			require.NoError(t, s.Delete(t.Context(), id, r.Version))
			delete(want, id)
		default:
			r.Op, r.Created = strconv.Itoa(random.Int()), numbered(random.IntN(5)).Created
			require.NoError(t, s.Update(t.Context(), r))
			r.Version++
			want[id] = r
		}
		if random.IntN(4) > 0 {
			continue
		}
		var first []keystore.Record
		for _, s := range append(writers, open(t, path)) {
			page, err := s.List(t.Context(), keystore.Filter{})
			require.NoError(t, err)
			require.Len(t, page.Records, len(want))
			for _, r := range page.Records {
				require.Equal(t, want[r.ID], r)
			}
			if first == nil {
				first = page.Records
			}
			require.Equal(t, first, page.Records)
		}
	}
}

// T-125: no file of the store helps to log in.
func TestT125_NoSecretInAnyFile(t *testing.T) {
	t.Parallel()
	path := place(t)
	s := create(t, path)
	keys, err := keystore.New(s, keystore.Config{})
	require.NoError(t, err)
	var canaries []string
	for range 5 {
		issued, err := keys.Issue(t.Context(), keystore.Spec{Owner: "acct_1", Scopes: []scopes.Scope{"claims:read"}})
		require.NoError(t, err)
		text := issued.Credential.Reveal()
		_, err = keys.Verify(t.Context(), text)
		require.NoError(t, err)
		require.NoError(t, s.AddUsage(t.Context(), usedOnce(issued.Record.ID)))
		secret := text[strings.LastIndexByte(text, '_')+1:]
		require.Greater(t, len(secret), 43)
		secret = secret[:43]
		sum := sha256.Sum256([]byte(secret))
		canaries = append(
			canaries, secret[:16], secret[16:32], secret[27:], text[len(text)-6:], hex.EncodeToString([]byte(secret[:12])),
			base64.StdEncoding.EncodeToString([]byte(secret[:12])), hex.EncodeToString(sum[:]), base64.RawStdEncoding.EncodeToString(sum[:]),
		)
	}
	require.NoError(t, keys.Close())
	files, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, files, 3, "records, usage, lock")
	for _, file := range files {
		content := bytes.ToLower(read(t, filepath.Join(filepath.Dir(path), file.Name())))
		for _, canary := range canaries {
			require.NotContains(t, string(content), strings.ToLower(canary), file.Name())
		}
	}
}
