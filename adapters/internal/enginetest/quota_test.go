package enginetest_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/sqlstore"
	"github.com/claviger-go/claviger/keystore"
)

const (
	contenders = 32 // in each process
	limit      = 5
)

func quotaRounds() int {
	switch {
	case full:
		return 1000
	case testing.Short():
		return 5
	}
	return 20
}

// T-115: with one place left, one of 64 contenders in two processes gets it, whatever else is inserted and deleted
// meanwhile.
func TestKS7_QuotaAcrossProcesses(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, p place) {
		s := p.store(t, sqlstore.Config{})
		other := start(t, "contend", p)
		rounds, overshoots, slots := quotaRounds(), 0, 0
		began := time.Now()
		for round := range rounds {
			for n := range limit - 1 {
				require.NoError(t, s.Insert(t.Context(), contender(round, fmt.Sprintf("before%d", n)), quota))
			}
			_, err := fmt.Fprintln(other.orders, round)
			require.NoError(t, err)
			won, err := race(t.Context(), s, round, "here")
			require.NoError(t, err)
			answer, err := other.answers.ReadString('\n')
			require.NoError(t, err, other.stderr.String())
			wonThere, err := strconv.Atoi(strings.TrimSpace(answer))
			require.NoError(t, err)

			page, err := s.List(t.Context(), keystore.Filter{Owner: contender(round, "").Owner})
			require.NoError(t, err)
			require.Len(t, page.Records, limit-1+won+wonThere, "what was acknowledged is there, and nothing else")
			if won+wonThere > 1 {
				overshoots++
			}
			slots += won + wonThere
		}
		other.finish(t)
		t.Logf("%d rounds of 2 × %d contenders: %d overshoots, %d places given, %v a round", rounds, contenders,
			overshoots, slots, (time.Since(began) / time.Duration(rounds)).Round(time.Millisecond))
		require.Zero(t, overshoots)
		require.Equal(t, rounds, slots, "the last place went to somebody, each time")
	})
}

var quota = keystore.Quota{Max: limit, Now: now}

func contender(round int, name string) keystore.Record {
	r := usual(0)
	r.ID, r.Owner = fmt.Sprintf("r%d:%s", round, name), fmt.Sprintf("round%d", round)
	return r
}

// race lets all contenders of a process try at once and counts those that got a place.
func race(ctx context.Context, s *sqlstore.Store, round int, name string) (int, error) {
	var won atomic.Int64
	var group sync.WaitGroup
	failures := make(chan error, contenders)
	for n := range contenders {
		group.Go(func() {
			err := s.Insert(ctx, contender(round, fmt.Sprintf("%s%d", name, n)), quota)
			switch {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, keystore.ErrQuota):
				failures <- err
			}
		})
	}
	group.Wait()
	close(failures)
	return int(won.Load()), <-failures
}

// contend is the other process: for each round that it is told, it races, and answers how many got a place.
func contend(ctx context.Context, p place, orders *bufio.Reader) error {
	db, err := p.pool()
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	db.SetMaxOpenConns(16)
	db.SetMaxIdleConns(16)
	s, err := sqlstore.New(ctx, db, p.dialect, sqlstore.Config{})
	if err != nil {
		return err
	}
	for {
		order, err := orders.ReadString('\n')
		if err != nil {
			return nil // the test has ended
		}
		round, err := strconv.Atoi(strings.TrimSpace(order))
		if err != nil {
			return err
		}
		won, err := race(ctx, s, round, "there")
		if err != nil {
			return err
		}
		fmt.Println(won) //nolint:forbidigo // the answer to the test, which reads it
	}
}
