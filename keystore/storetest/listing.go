package storetest

import (
	"errors"
	"slices"

	"github.com/claviger-go/claviger/keystore"
)

// list returns one page, and checks what holds for every page.
func (h *handle) list(f keystore.Filter) keystore.Page {
	h.t.Helper()
	page, err := h.admin.List(h.t.Context(), f)
	h.t.answer(err, nil, "List %+v through %s", f, h.name)
	h.t.stopIfFailed()
	most := f.Limit
	switch {
	case most == 0:
		most = 100
	case most > keystore.MaxPage:
		most = keystore.MaxPage
	}
	if len(page.Records) > most {
		h.t.wrongf("List with Limit %d: got %d records, want at most %d", f.Limit, len(page.Records), most)
		h.t.FailNow()
	}
	return page
}

// all follows the cursors. A store may return short pages, or an empty last one.
func (h *handle) all(f keystore.Filter) []keystore.Record {
	h.t.Helper()
	return h.walk(f, func() {})
}

// mostPages is more than any listing of the suite has, however short they are.
const mostPages = 20_000

// walk calls between after each page.
func (h *handle) walk(f keystore.Filter, between func()) (records []keystore.Record) {
	h.t.Helper()
	seen := map[string]bool{}
	for {
		page := h.list(f)
		records = append(records, page.Records...)
		if page.Next == "" {
			return records
		}
		if seen[page.Next] || len(seen) > mostPages {
			h.t.wrongf("List %+v: no end after %d records, the last cursor was %q", f, len(records), cut(page.Next))
			h.t.FailNow()
		}
		seen[page.Next] = true
		f.After = page.Next
		between()
	}
}

func (t *trial) newestFirst(records []keystore.Record) {
	t.Helper()
	for i := 1; i < len(records); i++ {
		if a, b := records[i-1], records[i]; a.Created.Before(b.Created) {
			t.wrongf("List: got %q, created %v, before %q, created %v: want the newest first", cut(a.ID), a.Created, cut(b.ID), b.Created)
			t.FailNow()
		}
	}
}

// exactly checks that got has all of want, each once and unchanged, in any order.
func (t *trial) exactly(got, want []keystore.Record, what string, args ...any) {
	t.Helper()
	byID := map[string]keystore.Record{}
	for _, r := range want {
		byID[r.ID] = r
	}
	counted := map[string]int{}
	for _, r := range got {
		counted[r.ID]++
		stored, known := byID[r.ID]
		switch {
		case !known:
			t.wrongf(what+": got %q, which is not to be there", append(args, cut(r.ID))...)
		case counted[r.ID] == 2:
			t.wrongf(what+": got %q more than once", append(args, cut(r.ID))...)
		default:
			t.same(r, stored, what, args...)
		}
	}
	for _, r := range want {
		if counted[r.ID] == 0 {
			t.wrongf(what+": %q is missing, among %d of %d", append(args, cut(r.ID), len(got), len(want))...)
			return
		}
	}
}

func ids(records []keystore.Record) []string {
	var names []string
	for _, r := range records {
		names = append(names, r.ID)
	}
	return names
}

// only are those of records that keep says yes to, the newest first.
func only(records []keystore.Record, keep func(*keystore.Record) bool) []keystore.Record {
	var kept []keystore.Record
	for i := range records {
		if keep(&records[i]) {
			kept = append(kept, records[i])
		}
	}
	slices.SortStableFunc(kept, func(a, b keystore.Record) int { return b.Created.Compare(a.Created) })
	return kept
}

// matches is what Filter's doc says, at its plainest.
func matches(f *keystore.Filter, r *keystore.Record) bool {
	return (f.Kind == "" || f.Kind == r.Kind) &&
		(f.Owner == "" || f.Owner == r.Owner) &&
		(f.Type == "" || f.Type == r.Type) &&
		(f.Parent == "" || f.Parent == r.Parent) &&
		(f.ExpiredBefore.IsZero() || !r.Expires.IsZero() && r.Expires.Before(f.ExpiredBefore))
}

func isAny(err error, targets ...error) bool {
	return slices.ContainsFunc(targets, func(target error) bool { return errors.Is(err, target) })
}
