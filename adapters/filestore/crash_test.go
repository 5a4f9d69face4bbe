package filestore_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/filestore"
	"github.com/claviger-go/claviger/keystore"
)

// everything is all records of the store.
func everything(ctx context.Context, s keystore.AdminStore) (map[string]keystore.Record, error) {
	all := map[string]keystore.Record{}
	for f := (keystore.Filter{Limit: keystore.MaxPage}); ; {
		page, err := s.List(ctx, f)
		if err != nil {
			return nil, err
		}
		for _, r := range page.Records {
			all[r.ID] = r
		}
		if f.After = page.Next; f.After == "" {
			return all, nil
		}
	}
}

// writeAtRandom creates, revokes and deletes keys of its own until it is killed. It says what it is about to do, and
// then that it is done.
func writeAtRandom(ctx context.Context, s *filestore.Store, _ string, args []string, out io.Writer) error {
	round, writer := args[0], args[1]
	all, err := everything(ctx, s)
	if err != nil {
		return err
	}
	var live, dead []string
	for id, r := range all {
		switch {
		case !strings.HasSuffix(id, writer):
		case r.Revoked.IsZero():
			live = append(live, id)
		default:
			dead = append(dead, id)
		}
	}
	take := func(list *[]string) string {
		n := rand.IntN(len(*list))
		id := (*list)[n]
		*list = append((*list)[:n], (*list)[n+1:]...)
		return id
	}
	say(out, "ready")
	for n := 0; ; n++ {
		verb, id := "create", fmt.Sprintf("r%sn%d%s", round, n, writer)
		choice := rand.IntN(10)
		switch {
		case len(live) > 0 && (choice < 3 || len(live) > 20):
			verb, id = "revoke", take(&live)
		case len(dead) > 0 && (choice < 5 || len(dead) > 20):
			verb, id = "delete", take(&dead)
		}
		say(out, "?", verb, id)
		switch verb {
		case "create":
			err = s.Insert(ctx, apiKey(id, op(id)), keystore.Quota{Max: 1_000, Now: start})
			live = append(live, id)
		case "revoke":
			err = s.Update(ctx, apiKey(id, op("revoke"), revoked))
			dead = append(dead, id)
		default:
			err = s.Delete(ctx, id, 2)
		}
		if err != nil {
			return fmt.Errorf("%s %s: %w", verb, id, err)
		}
		say(out, "!", verb, id)
	}
}

// journal is what the writers were told has happened: for each id the last verb that was acknowledged.
type journal map[string]string

// note reads what a writer said until it was killed, and returns the mutation that was on its way.
func (j journal) note(t *testing.T, said []string) (id, verb string) {
	t.Helper()
	for _, line := range said {
		var mark, v, i string
		_, err := fmt.Sscan(line, &mark, &v, &i)
		require.NoError(t, err, line)
		if id, verb = i, v; mark == "!" {
			j[i], id = v, ""
		}
	}
	return id, verb
}

// check compares the store with the journal, and settles what was on its way.
func (j journal) check(t *testing.T, all map[string]keystore.Record, underway map[string]string) {
	t.Helper()
	for id, verb := range j {
		r, exists := all[id]
		switch verb {
		case "create":
			require.True(t, exists, "the acknowledged create of %s is lost", id)
			if underway[id] == "" {
				require.True(t, r.Revoked.IsZero(), id)
			}
		case "revoke":
			require.True(t, exists || underway[id] == "delete", "%s has vanished", id)
			require.True(t, !exists || !r.Revoked.IsZero(), "%s was revoked and is alive again", id)
		default:
			require.False(t, exists, "%s was deleted and is there again", id)
			delete(j, id)
		}
	}
	for id, verb := range underway {
		switch r, exists := all[id]; {
		case !exists:
			require.NotEqual(t, "revoke", verb)
			delete(j, id)
		case !r.Revoked.IsZero():
			j[id] = "revoke"
		default:
			j[id] = "create"
		}
	}
	require.Len(t, all, len(j), "nothing comes from nowhere")
}

// T-124, R-07: two writers at a time are killed at random points.
func TestT124_Kill(t *testing.T) {
	t.Parallel()
	rounds := 200
	if testing.Short() {
		rounds = 20
	}
	path := place(t)
	create(t, path)
	known := journal{}
	acknowledged, inFlight, leftovers := 0, 0, 0
	for round := range rounds {
		writers := []*child{
			begin(t, "write", path, strconv.Itoa(round), "x"),
			begin(t, "write", path, strconv.Itoa(round), "y"),
		}
		for _, w := range writers {
			require.True(t, w.out.Scan(), "the child says: %s", &w.stderr)
			require.Equal(t, "ready", w.out.Text())
		}
		<-time.After(time.Duration(rand.Int64N(int64(25 * time.Millisecond))))
		underway := map[string]string{}
		for _, w := range writers {
			said := w.kill(t)
			require.Empty(t, w.stderr.String())
			acknowledged += len(said) / 2
			if id, verb := known.note(t, said); id != "" {
				underway[id] = verb
				inFlight++
			}
		}
		if _, err := os.Lstat(path + ".tmp"); err == nil {
			leftovers++
		}
		s, err := filestore.Open(path, filestore.Config{})
		require.NoError(t, err, "round %d", round)
		all, err := everything(t.Context(), s)
		require.NoError(t, err)
		known.check(t, all, underway)
	}
	t.Logf("%d rounds: %d mutations acknowledged, %d on their way, %d drafts left behind", rounds, acknowledged, inFlight, leftovers)

	insert(t, open(t, path), apiKey("last"))
	requireFiles(t, path, "", ".lock")
}

// requireFiles wants the files beside path, by suffix, and no others.
func requireFiles(t *testing.T, path string, suffixes ...string) {
	t.Helper()
	entries, err := os.ReadDir(path[:strings.LastIndexAny(path, `/\`)])
	require.NoError(t, err)
	var found, want []string
	for _, e := range entries {
		found = append(found, e.Name())
	}
	for _, suffix := range suffixes {
		want = append(want, "keys.json"+suffix)
	}
	require.ElementsMatch(t, want, found)
}

func TestT124_DraftLeftBehind(t *testing.T) {
	t.Parallel()
	path, s, content, _ := small(t)
	require.NoError(t, s.AddUsage(t.Context(), usedOnce("a")))
	write(t, path+".tmp", content[:100])
	write(t, path+".usage.tmp", content[:100])
	require.Equal(t, apiKey("a", revoked, op("2222222222222222"), version(2)), lookup(t, open(t, path), "a"))
	insert(t, s, numbered(3))
	require.NoError(t, s.AddUsage(t.Context(), usedOnce("a")))
	requireFiles(t, path, "", ".lock", ".usage")
}
