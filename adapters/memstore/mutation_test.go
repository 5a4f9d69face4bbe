package memstore_test

import (
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
)

func version(v uint64) func(*keystore.Record) { return func(r *keystore.Record) { r.Version = v } }

func revoked(r *keystore.Record) {
	r.Revoked = keystore.Mark{At: at(1), Reason: keystore.ReasonRequested}
}

// contenders run at the same time, as far as the machine lets them.
const contenders = 32

// compete calls try once in each of the contenders, and counts the answers.
func compete(t *testing.T, try func(contender int) error, lost error) (won int64) {
	t.Helper()
	var winners atomic.Int64
	var wait sync.WaitGroup
	begin := make(chan struct{})
	for c := range contenders {
		wait.Go(func() {
			<-begin
			err := try(c)
			if err == nil {
				winners.Add(1)
				return
			}
			require.ErrorIs(noFatal{t}, err, lost)
		})
	}
	close(begin)
	wait.Wait()
	return winners.Load()
}

// noFatal lets require be used on a goroutine, where t.FailNow must not be called.
type noFatal struct{ *testing.T }

func (noFatal) FailNow() {}

func TestKS7_ExistingID(t *testing.T) {
	t.Parallel()
	s := open(t)
	insert(t, s, apiKey("a"))
	for _, other := range []keystore.Record{
		apiKey("a", op("1122334455667788")),
		apiKey("a", op("1122334455667788"), owner("another"), version(2)),
		apiKey("a", op("")),
	} {
		require.ErrorIs(t, s.Insert(t.Context(), other, unlimited), keystore.ErrExists)
	}
	require.Equal(t, apiKey("a"), lookup(t, s, "a"))

	insert(t, s, apiKey("revoked", revoked))
	require.ErrorIs(t, s.Insert(t.Context(), apiKey("revoked", op("other")), unlimited), keystore.ErrExists, "revoked is final")
	require.NoError(t, s.Delete(t.Context(), "a", 0))
	require.NoError(t, s.Insert(t.Context(), apiKey("a", op("other")), unlimited))
}

// Two without an op are two mutations.
func TestKS7_ExistingIDWithoutOp(t *testing.T) {
	t.Parallel()
	s := open(t)
	insert(t, s, apiKey("a", op("")))
	require.ErrorIs(t, s.Insert(t.Context(), apiKey("a", op("")), unlimited), keystore.ErrExists)
	require.NoError(t, s.Update(t.Context(), apiKey("a", op(""))))
	require.ErrorIs(t, s.Update(t.Context(), apiKey("a", op(""))), keystore.ErrConflict)
}

func TestKS7_OneOfManyInserts(t *testing.T) {
	t.Parallel()
	s := open(t)
	for round := range 200 {
		id := strconv.Itoa(round)
		require.EqualValues(t, 1, compete(t, func(c int) error {
			return s.Insert(t.Context(), apiKey(id, op(strconv.Itoa(c))), unlimited)
		}, keystore.ErrExists))
	}
}

func TestKS8_Update(t *testing.T) {
	t.Parallel()
	renamed := func(r *keystore.Record) { r.Name, r.Op = "renamed", "1122334455667788" }
	for _, tc := range []struct {
		desc   string
		stored keystore.Record
		update keystore.Record
		want   error
	}{
		{"current version", apiKey("a"), apiKey("a", renamed), nil},
		{"any number is a version", apiKey("a", version(0)), apiKey("a", version(0), renamed), nil},
		{"older version", apiKey("a", version(5)), apiKey("a", version(4), renamed), keystore.ErrConflict},
		{"newer version", apiKey("a", version(5)), apiKey("a", version(6), renamed), keystore.ErrConflict},
		{"missing", apiKey("a"), apiKey("A", renamed), keystore.ErrNotFound},
		{"revoked", apiKey("a", revoked), apiKey("a", renamed), keystore.ErrRevoked},
		{"revoked, to be revoked", apiKey("a", revoked), apiKey("a", revoked, renamed), keystore.ErrRevoked},
		{"revoked and another version", apiKey("a", revoked), apiKey("a", version(9), renamed), keystore.ErrRevoked},
		{"to be revoked", apiKey("a"), apiKey("a", revoked, renamed), nil},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			insert(t, s, tc.stored)
			err := s.Update(t.Context(), tc.update)
			if tc.want != nil {
				require.ErrorIs(t, err, tc.want)
				require.Equal(t, tc.stored, lookup(t, s, "a"))
				return
			}
			require.NoError(t, err)
			tc.update.Version++
			require.Equal(t, tc.update, lookup(t, s, "a"))
		})
	}
}

func TestKS8_OneOfManyUpdates(t *testing.T) {
	t.Parallel()
	s := open(t)
	insert(t, s, apiKey("a"))
	for round := range uint64(200) {
		require.EqualValues(t, 1, compete(t, func(c int) error {
			return s.Update(t.Context(), apiKey("a", version(round+1), op(fmt.Sprint(round, c))))
		}, keystore.ErrConflict))
		require.Equal(t, round+2, lookup(t, s, "a").Version)
	}
}

// Nobody's change is lost when everybody tries again.
func TestKS8_EveryRetryCounts(t *testing.T) {
	t.Parallel()
	s := open(t)
	insert(t, s, apiKey("a", version(0)))
	const rounds = 20
	compete(t, func(c int) error {
		for n := 0; n < rounds; {
			r, err := s.Lookup(t.Context(), "a")
			if err != nil {
				return err
			}
			r.Op, r.ParentSecret = fmt.Sprint(c, n), r.ParentSecret+1
			if s.Update(t.Context(), r) == nil {
				n++
			}
		}
		return nil
	}, nil)
	require.EqualValues(t, contenders*rounds, lookup(t, s, "a").Version)
	require.EqualValues(t, contenders*rounds, lookup(t, s, "a").ParentSecret)
}

func TestKS9_Delete(t *testing.T) {
	t.Parallel()
	s := open(t)
	insert(t, s, apiKey("a", version(3)), apiKey("b", version(3)), apiKey("c", revoked))
	for _, v := range []uint64{1, 2, 4} {
		require.ErrorIs(t, s.Delete(t.Context(), "a", v), keystore.ErrConflict)
	}
	require.Equal(t, apiKey("a", version(3)), lookup(t, s, "a"))

	require.NoError(t, s.Delete(t.Context(), "a", 3))
	require.NoError(t, s.Delete(t.Context(), "a", 3), "sent twice")
	require.NoError(t, s.Delete(t.Context(), "b", 0))
	require.NoError(t, s.Delete(t.Context(), "c", 1))
	for _, nothing := range []string{"never", "", "not an id"} {
		require.NoError(t, s.Delete(t.Context(), nothing, 0))
		require.NoError(t, s.Delete(t.Context(), nothing, 1))
	}
	page, err := s.List(t.Context(), keystore.Filter{})
	require.NoError(t, err)
	require.Empty(t, page.Records)
}

func TestKS15_SentTwice(t *testing.T) {
	t.Parallel()
	s := open(t)
	one := keystore.Quota{Max: 1, Now: start}
	require.NoError(t, s.Insert(t.Context(), apiKey("a"), one))
	require.NoError(t, s.Insert(t.Context(), apiKey("a"), one), "exists, and the quota is full, because of itself")
	require.Equal(t, apiKey("a"), lookup(t, s, "a"))

	update := apiKey("a", op("2222222222222222"))
	require.NoError(t, s.Update(t.Context(), update))
	require.NoError(t, s.Update(t.Context(), update))
	require.EqualValues(t, 2, lookup(t, s, "a").Version, "the second time nothing is written")
	require.ErrorIs(t, s.Update(t.Context(), apiKey("a", op("3333333333333333"))), keystore.ErrConflict, "somebody else's")
	require.ErrorIs(t, s.Insert(t.Context(), apiKey("a"), one), keystore.ErrExists, "no longer what that Insert stored")

	last := apiKey("a", version(2), op("4444444444444444"), revoked)
	require.NoError(t, s.Update(t.Context(), last))
	require.NoError(t, s.Update(t.Context(), last), "revoked, by this very update")
	require.ErrorIs(t, s.Update(t.Context(), apiKey("a", version(3), op("4444444444444444"))), keystore.ErrRevoked)
	require.EqualValues(t, 3, lookup(t, s, "a").Version)
}
