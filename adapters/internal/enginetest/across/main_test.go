package across_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"
)

// full tells that the run is long, and asserts the figures.
var full = os.Getenv("CLAVIGER_HARNESS") == "full"

// shortOr is how often or how long in the usual run, and in the full one.
func shortOr[T any](short, long T) T {
	if full {
		return long
	}
	return short
}

// How long things last: longer than MaxStaleness.
var (
	outage  = shortOr(7*time.Second, 10*time.Second)
	stopped = shortOr(6*time.Second, time.Minute)
)

// roleVar is set for the processes that a test starts: it holds their place.
const roleVar = "CLAVIGER_ACROSS"

func TestMain(m *testing.M) {
	role, ok := os.LookupEnv(roleVar)
	if !ok {
		_ = flag.Set("test.parallel", "100") // they wait, nearly all the time; -parallel wins
		m.Run()
		for _, t := range tables {
			_, _ = fmt.Fprint(os.Stdout, t)
		}
		return
	}
	var p place
	err := json.Unmarshal([]byte(role), &p)
	if err == nil {
		err = serve(p)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) //nolint:forbidigo // this is another process, and ends
	}
}

// parallel runs a test beside others, except in the full run, where they would measure each other.
func parallel(t *testing.T) {
	t.Helper()
	if !full {
		t.Parallel()
	}
}

var busy sync.Mutex

// alone is for tests that keep the machine busy: one of them at a time.
func alone(t *testing.T) {
	t.Helper()
	busy.Lock()
	t.Cleanup(busy.Unlock)
}
