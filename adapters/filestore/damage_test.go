package filestore_test

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/filestore"
	"github.com/claviger-go/claviger/keystore"
)

// refuses opens what is at path and wants it refused, with Create and without.
func refusesf(t *testing.T, path string, kind error, format string, args ...any) {
	t.Helper()
	for _, config := range []filestore.Config{{}, {Create: true}} {
		_, err := filestore.Open(path, config)
		if kind == nil {
			require.Errorf(t, err, format, args...)
		} else {
			require.ErrorIsf(t, err, kind, format, args...)
		}
		require.NotErrorIs(t, err, keystore.ErrNotFound)
	}
}

// small is a file with some records, one of them revoked, and its content a generation before.
func small(t *testing.T) (path string, s *filestore.Store, content, before []byte) {
	t.Helper()
	path = place(t)
	s = create(t, path)
	insert(t, s, numbered(1), numbered(2), apiKey("a"))
	before = read(t, path)
	require.NoError(t, s.Update(t.Context(), apiKey("a", revoked, op("2222222222222222"))))
	return path, s, read(t, path), before
}

func TestT124_TruncatedAtEveryByte(t *testing.T) {
	t.Parallel()
	path, s, content, _ := small(t)
	for n := range slices.Backward(content) {
		require.NoError(t, os.Truncate(path, int64(n)))
		refusesf(t, path, filestore.ErrDamaged, "truncated to %d of %d bytes", n, len(content))
		_, err := s.Lookup(t.Context(), "a")
		require.ErrorIs(t, err, filestore.ErrDamaged, "truncated to %d bytes while open", n)
		require.Equal(t, content[:n], read(t, path), "what is damaged is left for whoever repairs it")
	}
	write(t, path, content)
	require.False(t, lookup(t, s, "a").Revoked.IsZero())
	open(t, path)
}

func TestT124_EveryBitFlipped(t *testing.T) {
	t.Parallel()
	path, _, content, _ := small(t)
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	require.NoError(t, err)
	defer f.Close() //nolint:errcheck // it has been read from elsewhere
	for n := range content {
		for bit := range 8 {
			_, err := f.WriteAt([]byte{content[n] ^ 1<<bit}, int64(n))
			require.NoError(t, err)
			_, err = filestore.Open(path, filestore.Config{Create: true})
			require.Error(t, err, "bit %d of byte %d", bit, n)
		}
		_, err := f.WriteAt(content[n:n+1], int64(n))
		require.NoError(t, err)
	}
	open(t, path)
}

// Neither a new beginning before an old end, nor the other way round, nor either with a hole of zeros or more at its end.
func TestT124_Torn(t *testing.T) {
	t.Parallel()
	path, _, content, before := small(t)
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	require.NoError(t, err)
	defer f.Close() //nolint:errcheck // it has been read from elsewhere
	for n := range min(len(content), len(before)) {
		for _, torn := range [][]byte{
			append(bytes.Clone(content[:n]), before[n:]...),
			append(bytes.Clone(before[:n]), content[n:]...),
			append(bytes.Clone(content[:n]), make([]byte, len(content)-n)...),
			append(bytes.Clone(content), content[n:]...),
		} {
			if bytes.Equal(torn, content) || bytes.Equal(torn, before) {
				continue
			}
			_, err := f.WriteAt(torn, 0)
			require.NoError(t, err)
			require.NoError(t, f.Truncate(int64(len(torn))))
			_, err = filestore.Open(path, filestore.Config{Create: true})
			require.Error(t, err, "torn at byte %d", n)
		}
	}
}

func TestT124_Garbage(t *testing.T) {
	t.Parallel()
	path, _, content, _ := small(t)
	text := string(content)
	lines := strings.SplitAfter(text, "\n")
	for desc, garbage := range map[string]string{
		"empty":             "",
		"a line end":        "\n",
		"null":              "null\n",
		"an empty object":   "{}\n",
		"an empty list":     "[]\n",
		"another JSON file": `{"name":"claviger","version":"1.0.0"}` + "\n",
		"usage":             `{"claviger":"filestore usage","format":1,"usage":[` + "\n]}\n",
		"zeros":             strings.Repeat("\x00", 4096),
		"spaces":            strings.Repeat(" ", 4096),
		"deep nesting":      strings.Repeat("[", 100_000),
		"a long line":       strings.Repeat("a", 1<<20),
		"header alone":      lines[0],
		"tail alone":        lines[len(lines)-2],
		"no tail":           strings.Join(lines[:len(lines)-2], ""),
		"CRLF":              strings.ReplaceAll(text, "\n", "\r\n"),
		"a BOM":             "\xEF\xBB\xBF" + text,
		"twice":             text + text,
		"a line end more":   text + "\n",
		"a line missing":    strings.Join(append(lines[:2:2], lines[3:]...), ""),
		"lines exchanged":   strings.Join([]string{lines[0], lines[2], lines[1], lines[3], lines[4]}, ""),
		"upper case sum":    strings.Replace(text, lines[4], strings.ToUpper(lines[4]), 1),
	} {
		require.NotEqual(t, text, garbage, desc)
		write(t, path, []byte(garbage))
		refusesf(t, path, filestore.ErrDamaged, "%s", desc)
	}
}

// With a sum that fits, as after an edit by hand.
func TestEditedByHand(t *testing.T) {
	t.Parallel()
	path, s, content, _ := small(t)
	replace := func(old, with string) []byte {
		return filestore.Rewrite(content, func(body []byte) []byte {
			require.Contains(t, string(body), old)
			return bytes.Replace(body, []byte(old), []byte(with), 1)
		})
	}
	for desc, tc := range map[string]struct {
		content []byte
		kind    error
		text    string
	}{
		"newer format":       {replace(`"format":1,"generation"`, `"format":2,"generation"`), keystore.ErrNewerFormat, "format 2 is newer"},
		"no generation":      {replace(`,"generation":5`, ``), filestore.ErrDamaged, "first line"},
		"another schema":     {replace(`"filestore"`, `"firestore"`), filestore.ErrDamaged, "first line"},
		"a member more":      {replace(`"generation"`, `"x":1,"generation"`), filestore.ErrDamaged, "first line"},
		"a comma missing":    {replace("\n,{", "\n {"), filestore.ErrDamaged, "line 3 is not a record"},
		"an empty line":      {replace("\n,{", "\n\n,{"), filestore.ErrDamaged, "line 3 is not a record"},
		"the id of another":  {replace(`"id":"key000000001"`, `"id":"key000000002"`), filestore.ErrDamaged, "the id of another line"},
		"no id":              {replace(`"id":"key000000001"`, `"id":""`), filestore.ErrDamaged, "line 3: filestore: the id has 0 bytes"},
		"a credential as id": {replace(`"id":"key000000001"`, `"id":"sk_live_x"`), filestore.ErrDamaged, `'_' at byte 2`},
		"an unknown member":  {replace(`"id":"key000000001"`, `"id":"key000000001","allow":"all"`), filestore.ErrDamaged, "line 3"},
		"broken JSON":        {replace(`"id":"key000000001"`, `"id":key000000001"`), filestore.ErrDamaged, "line 3"},
		"an older one":       {replace(`"generation":5`, `"generation":4`), filestore.ErrDamaged, "older copy"},
	} {
		write(t, path, tc.content)
		refusesf(t, path, tc.kind, "%s", desc)
		_, err := s.Lookup(t.Context(), "a")
		require.ErrorIs(t, err, tc.kind, desc)
		require.ErrorContains(t, err, tc.text, desc)
	}
	write(t, path, replace(`"name":"nightly batch import"`, `"name":"by hand"`))
	require.Equal(t, "by hand", lookup(t, s, "a").Name, "an edit that keeps the rules is one")
	insert(t, s, numbered(3))
	require.Equal(t, "by hand", lookup(t, open(t, path), "a").Name)
}

// A restriction added by a later version is not dropped, and its record holds up no other.
func TestRecordOfNewerFormat(t *testing.T) {
	t.Parallel()
	path, s, content, _ := small(t)
	const id = "key000000001"
	write(t, path, filestore.Rewrite(content, func(body []byte) []byte {
		return bytes.Replace(body, []byte(`{"format":1,"id":"`+id), []byte(`{"format":2,"moon":"full","id":"`+id), 1)
	}))
	_, err := s.Lookup(t.Context(), id)
	require.ErrorIs(t, err, keystore.ErrNewerFormat)
	require.False(t, lookup(t, s, "a").Revoked.IsZero())
	_, err = s.List(t.Context(), keystore.Filter{Owner: numbered(1).Owner})
	require.ErrorIs(t, err, keystore.ErrNewerFormat)
	page, err := s.List(t.Context(), keystore.Filter{Owner: apiKey("a").Owner})
	require.NoError(t, err)
	require.Len(t, page.Records, 1)

	require.ErrorIs(t, s.Update(t.Context(), numbered(1)), keystore.ErrNewerFormat)
	require.ErrorIs(t, s.Insert(t.Context(), apiKey(id, op("x")), unlimited), keystore.ErrExists)
	another := apiKey("b", owner(numbered(1).Owner))
	require.ErrorIs(t, s.Insert(t.Context(), another, keystore.Quota{Max: 2, Now: start}), keystore.ErrQuota, "it counts")
	require.NoError(t, s.Insert(t.Context(), another, keystore.Quota{Max: 3, Now: start}))
	require.Contains(t, string(read(t, path)), `"moon":"full"`, "another's mutation keeps it")
	require.ErrorIs(t, s.Delete(t.Context(), id, 9), keystore.ErrConflict)
	require.NoError(t, s.Delete(t.Context(), id, 1))
}

func TestT124_HugeFile(t *testing.T) {
	t.Parallel()
	path, s, content, _ := small(t)
	require.NoError(t, os.Truncate(path, 200<<20)) // a hole
	refusesf(t, path, filestore.ErrDamaged, "200 MiB")
	write(t, path, content)

	s.Limit(int64(len(content)) + 10)
	err := s.Insert(t.Context(), numbered(3), unlimited)
	require.ErrorIs(t, err, filestore.ErrFull)
	require.Equal(t, content, read(t, path))
	require.NoError(t, s.Update(t.Context(), apiKey(numbered(1).ID, revoked)), "room is kept for revocations")
	long := numbered(2)
	long.Name = strings.Repeat("x", 10*len(content))
	require.ErrorIs(t, s.Update(t.Context(), long), filestore.ErrFull)
	require.NoError(t, s.Delete(t.Context(), "a", 0))
	require.NoError(t, s.Delete(t.Context(), numbered(2).ID, 0))
	require.NoError(t, s.Insert(t.Context(), numbered(3), unlimited), "deleting makes room")
}

// What the record's own decoder would refuse must not get into the file, where it would make all others unreadable.
func TestInsertOfWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	path, s, content, _ := small(t)
	for desc, edit := range map[string]func(*keystore.Record){
		"a year that RFC 3339 cannot write": func(r *keystore.Record) { r.Expires = start.AddDate(10_000, 0, 0) },
		"a year before any key":             func(r *keystore.Record) { r.Expires = start.AddDate(-1_000, 0, 0) },
	} {
		require.Error(t, s.Insert(t.Context(), apiKey("b", edit), unlimited), desc)
		require.Error(t, s.Update(t.Context(), apiKey(numbered(1).ID, edit)), desc)
	}
	require.Equal(t, content, read(t, path))
}
