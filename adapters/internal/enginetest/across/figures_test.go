package across_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"
)

// What is printed at the end of a run.
var (
	revocations = newTable("Revoked in one process, refused in two others",
		"store", "times", "p50", "p99", "max", "promised", "accepted after 5 s")
	outages = newTable("The network between a process and its engine fails for "+outage.String()+", and a key is revoked elsewhere",
		"store", "fault", "accepted after 5 s", "last accepted", "cached served for", "503s", "slowest 503", "recovery", "next one seen")
	pauses = newTable("A process is stopped (SIGSTOP) for "+stopped.String()+", and a key is revoked meanwhile",
		"store", "request that waited", "first request", "after", "others accepted after")
	kills = newTable("A process is killed (SIGKILL) while it issues and revokes keys",
		"store", "kills", "keys", "lost", "revocations", "undone", "unanswered")
	quotas = newTable("Contenders in two processes issue keys of one owner",
		"store", "rounds of 2 × 32", "too many", "too few", "unanswered", "a round")

	tables = []*table{revocations, outages, pauses, kills, quotas}
)

// table holds figures until the end of the run.
type table struct {
	title string

	mu   sync.Mutex
	rows []string
}

func newTable(title string, columns ...string) *table {
	return &table{title: title, rows: []string{strings.Join(columns, "\t")}}
}

func (t *table) add(cells ...any) {
	texts := make([]string, len(cells))
	for i, cell := range cells {
		if d, ok := cell.(time.Duration); ok {
			cell = round(d)
		}
		texts[i] = fmt.Sprint(cell)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rows = append(t.rows, strings.Join(texts, "\t"))
}

// round keeps what a reader compares.
func round(d time.Duration) time.Duration {
	if d < 100*time.Millisecond {
		return d.Round(10 * time.Microsecond)
	}
	return d.Round(time.Millisecond)
}

func (t *table) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.rows) == 1 {
		return ""
	}
	slices.Sort(t.rows[1:])
	var text strings.Builder
	aligned := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintf(aligned, "\n%s\n%s\n", t.title, strings.Join(t.rows, "\n"))
	_ = aligned.Flush()
	return text.String()
}

// percentile is the smallest value that so many in a hundred do not exceed.
func percentile(sorted []time.Duration, percent int) time.Duration {
	return sorted[(len(sorted)*percent+99)/100-1]
}
