package sqlstore

import (
	"encoding/base64"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
)

func TestCursor(t *testing.T) {
	t.Parallel()
	for _, p := range []place{
		{0, "a"}, {1_795_341_600_000_000, strings.Repeat("Z", 80)}, {math.MinInt64, ":"}, {math.MaxInt64, "0"}, {-1, "sha256:00"},
	} {
		back, err := parseCursor(p.cursor())
		require.NoError(t, err)
		require.Equal(t, p, back)
	}
}

// T-121: what was not made here is refused, and names nothing but a place in a filtered list anyway.
func TestT121_ForgedCursors(t *testing.T) {
	t.Parallel()
	encode := base64.RawURLEncoding.EncodeToString
	good := place{7, "id"}.cursor()
	for _, text := range []string{
		"x", good + "=", good + "\n", "\r" + good, good + good, strings.ToUpper(good),
		encode([]byte("")), encode([]byte("7")), encode([]byte("7.")), encode([]byte(".id")), encode([]byte("+7.id")),
		encode([]byte("07.id")), encode([]byte("7.id'")), encode([]byte("7.' OR 1=1 --")), encode([]byte("7.i d")),
		encode([]byte("9223372036854775808.id")), encode([]byte("7.5.id")), encode([]byte("7.id\x00")),
		strings.Repeat("A", 1<<20),
	} {
		_, err := parseCursor(text)
		require.ErrorIs(t, err, errCursor, "%.40q", text)
	}
}

func FuzzCursor(f *testing.F) {
	f.Add(place{7, "id"}.cursor())
	f.Add("Ny5pZA==")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		if p, err := parseCursor(text); err == nil && p.cursor() != text {
			t.Fatalf("%q and %q are the same place", text, p.cursor())
		}
	})
}

// What expires in a microsecond that has begun has expired before its later nanoseconds.
func TestExpiredBeforeToTheNanosecond(t *testing.T) {
	t.Parallel()
	micro := time.UnixMicro(1_795_341_600_000_000)
	for past, want := range map[time.Duration]int64{0: 0, 1: 1, 999: 1, 1000: 1, -1: 0, -999: 0, -1000: -1} {
		_, args, err := listText(keystore.Filter{ExpiredBefore: micro.Add(past)}, 1)
		require.NoError(t, err)
		require.Equal(t, []any{micro.UnixMicro() + want, 1}, args, past)
	}
}

// What a caller says never becomes a part of a statement.
func TestT121_StatementsAreConstant(t *testing.T) {
	t.Parallel()
	const payload = "'; DROP TABLE claviger_records; --"
	filter := keystore.Filter{Kind: payload, Owner: payload, Type: payload, Parent: payload, After: place{7, "id"}.cursor()}
	text, args, err := listText(filter, 101)
	require.NoError(t, err)
	require.Equal(t, "SELECT created, id, data FROM claviger_records WHERE kind = ? AND owner = ? AND type = ? AND parent = ?"+
		" AND created <= ? AND (created < ? OR id < ?) ORDER BY created DESC, id DESC LIMIT ?", text)
	require.Equal(t, []any{
		[]byte(payload), []byte(payload), []byte(payload), []byte(payload), int64(7), int64(7), []byte("id"), 101,
	}, args)
}
