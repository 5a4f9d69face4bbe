package filestore

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzFile gives whatever it finds a sum that fits: without, nothing would get past that.
func FuzzFile(f *testing.F) {
	base := newSnapshot(7)
	for _, id := range []string{"a", "b", "c"} {
		e, err := encode(bare(id))
		require.NoError(f, err)
		base = base.edit(nil, e)
	}
	var whole bytes.Buffer
	require.NoError(f, base.write(&whole))
	body := whole.String()[:whole.Len()-len(tail(sum{}))]
	f.Add([]byte(body))
	f.Add([]byte(header(1)))
	f.Add([]byte(header(1) + ` {"format":9,"id":"x","version":3,"revoked":{"at":"2026-11-22T00:00:00Z"}}` + "\n"))
	f.Add([]byte(header(1) + ` {"format":1,"id":"x"}` + "\n" + `,{"format":1,"id":"x"}` + "\n"))
	f.Add([]byte(`{"claviger":"filestore","format":2,"generation":1,"records":[` + "\n"))
	for _, n := range []int{0, 1, len(header(8)), len(body) - 1} {
		f.Add([]byte(body[:n]))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		data := append(bytes.Clone(body), tail(sha256.Sum256(body))...)
		sn, err := parse(data, nil)
		again, errAgain := parse(data, base)
		require.Equal(t, err, errAgain, "what was read before decides nothing")
		if err != nil {
			return
		}
		require.Equal(t, lines(sn), lines(again))
		require.EqualValues(t, len(data), sn.size)
		require.True(t, json.Valid(data))
		require.Len(t, sn.byID, len(sn.byAge))

		var written bytes.Buffer
		require.NoError(t, sn.write(&written))
		again, err = parse(written.Bytes(), nil)
		require.NoError(t, err, "what can be read can be written and read")
		require.Equal(t, lines(sn), lines(again))
		_, err = parse(data[:len(data)-1], nil)
		require.Error(t, err)
	})
}

func lines(sn *snapshot) []string {
	var all []string
	for _, e := range sn.byAge {
		all = append(all, e.line)
	}
	return append(all, fmt.Sprint(sn.generation))
}

func FuzzCursor(f *testing.F) {
	for _, p := range []place{{0, "a"}, {-1, "sha256:00"}, {1 << 62, "Zz9:"}} {
		f.Add(p.cursor())
		f.Add(p.cursor() + "=")
	}
	for _, text := range []string{"", "AA", "MC4", "KzEuYQ", "MDEuYQ", "MS5hXw"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if p, err := parseCursor(text); err == nil {
			require.Equal(t, text, p.cursor())
			require.NoError(t, checkID(p.id))
		}
	})
}
