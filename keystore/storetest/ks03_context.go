package storetest

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/claviger-go/claviger/keystore"
)

// method is a method of a store, to be called with any ctx.
type method struct {
	name  string
	needs needs
	call  func(ctx context.Context, h *handle, r keystore.Record) error // r is stored
}

func methods() []method {
	return []method{
		{"Lookup", anyStore, func(ctx context.Context, h *handle, r keystore.Record) error {
			_, err := h.Lookup(ctx, r.ID)
			return err
		}},
		{"Insert", adminStore, func(ctx context.Context, h *handle, _ keystore.Record) error {
			return h.admin.Insert(ctx, h.t.key("new"), keystore.Quota{Max: 100, Now: at(0)})
		}},
		{"Update", adminStore, func(ctx context.Context, h *handle, r keystore.Record) error {
			r.Op, r.Name = h.t.op(), "renamed"
			return h.admin.Update(ctx, r)
		}},
		{"Delete", adminStore, func(ctx context.Context, h *handle, r keystore.Record) error {
			return h.admin.Delete(ctx, r.ID, 0)
		}},
		{"List", adminStore, func(ctx context.Context, h *handle, _ keystore.Record) error {
			_, err := h.admin.List(ctx, keystore.Filter{})
			return err
		}},
		{"Watch", watcher, func(ctx context.Context, h *handle, _ keystore.Record) error {
			return h.watcher.Watch(ctx, func(...string) {})
		}},
		{"AddUsage", usageStore, func(ctx context.Context, h *handle, r keystore.Record) error {
			return h.usage.AddUsage(ctx, []keystore.Usage{use(r.ID, 1, 0)})
		}},
		{"Usage", usageStore, func(ctx context.Context, h *handle, r keystore.Record) error {
			_, err := h.usage.Usage(ctx, []string{r.ID})
			return err
		}},
		{"Take", rateStore, func(ctx context.Context, h *handle, r keystore.Record) error {
			_, _, err := h.rates.Take(ctx, r.ID, time.Hour, time.Hour)
			return err
		}},
	}
}

func contextCases() []testCase {
	var cases []testCase
	for _, m := range methods() {
		cases = append(cases, testCase{"Ended" + m.name, m.needs, func(t *trial) { t.endedContext(m) }})
	}
	for _, m := range methods() {
		cases = append(cases, testCase{"Hung" + m.name, m.needs | hang, func(t *trial) { t.hungBackend(m) }})
	}
	return append(cases,
		testCase{"CanceledOnTheWay", adminStore, canceledOnTheWay},
		testCase{"CanceledAfterwards", anyStore, canceledAfterwards},
	)
}

// A ctx that has ended is answered with its error, and nothing is done.
func (t *trial) endedContext(m method) {
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancelLate := context.WithDeadline(t.Context(), time.Unix(1, 0))
	defer cancelLate()

	r := t.put(t.key(alias("0a")))[0]
	for _, ctx := range []context.Context{canceled, late} {
		err := m.call(ctx, t.here, r)
		t.cannotAnswer(err, "%s with a ctx that has ended", m.name)
		if !errors.Is(err, ctx.Err()) {
			t.wrongf("%s with a ctx that has ended: got %v, want %v, bare or wrapped", m.name, err, ctx.Err())
		}
	}
	t.here.holds(r, "after a "+m.name+" whose ctx had ended")
	t.here.lacks("new", "after a "+m.name+" whose ctx had ended")
	if m.name == "AddUsage" {
		used, err := t.here.usage.Usage(t.Context(), []string{r.ID})
		if t.answer(err, nil, "Usage") && len(used) > 0 && used[0].Count > 0 {
			t.wrongf("AddUsage with a ctx that has ended: it was counted: %+v", used)
		}
	}
}

// A call that waits for a backend ends with its ctx, and the store works again
// when the backend does.
func (t *trial) hungBackend(m method) {
	r := t.put(t.key(alias("0a")))[0]
	release := t.suite.Hang(t.TB, t.here.KeyStore)
	released := false
	defer func() {
		if !released {
			release()
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	answered := make(chan error, 1)
	go func() { answered <- m.call(ctx, t.here, r) }()
	select {
	case err := <-answered:
		t.cannotAnswer(err, "%s while nothing answers", m.name)
	case <-time.After(t.suite.patience):
		t.wrongf("%s while nothing answers: still waiting %v after its ctx ended", m.name, t.suite.patience)
	}
	released = true
	release()
	t.soon("Lookup once the backend answers again", func(ctx context.Context) error {
		_, err := t.here.Lookup(ctx, r.ID)
		if m.name == "Delete" && errors.Is(err, keystore.ErrNotFound) {
			return nil
		}
		return err
	})
}

// soon tries until it works, for as long as patience lasts.
func (t *trial) soon(what string, try func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), t.suite.patience)
	defer cancel()
	for {
		err := try(ctx)
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.wrongf("%s: got %v for %v", what, err, t.suite.patience)
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// A mutation whose ctx ends on the way has happened entirely or not at all, and
// leaves nothing locked.
func canceledOnTheWay(t *trial) {
	later := t.Context()
	for round := range t.suite.Rounds {
		ctx, cancel := context.WithCancel(later)
		records := t.keys(contenders, "r"+strconv.Itoa(round)+"c%d")
		together(contenders, func(c int) {
			if c == 0 {
				cancel()
			}
			err := t.handle(c).admin.Insert(ctx, records[c], keystore.Quota{})
			t.cannotAnswer(err, "Insert whose ctx ends on the way")
			r, lookupErr := t.handle(c).Lookup(later, records[c].ID)
			if err == nil {
				t.answer(lookupErr, nil, "Lookup after an Insert that answered nil though its ctx had ended")
			}
			if lookupErr == nil && r.ID != "" {
				t.same(r, records[c], "Lookup after an Insert whose ctx ended on the way")
			}
			again := t.handle(c).admin.Insert(later, records[c], keystore.Quota{})
			if again != nil && !errors.Is(again, keystore.ErrExists) {
				t.wrongf("the same Insert again with another ctx: got %v, want nil", again)
			}
		})
		cancel()
		t.stopIfFailed()
	}
}

// What a ctx was good for outlives it.
func canceledAfterwards(t *trial) {
	ctx, cancel := context.WithCancel(t.Context())
	r := t.key(alias("0a"))
	if t.suite.AdminStore {
		t.answer(t.here.admin.Insert(ctx, r, keystore.Quota{Max: 1, Now: at(0)}), nil, "Insert")
	} else {
		r = t.put(r)[0]
	}
	_, err := t.here.Lookup(ctx, r.ID)
	t.answer(err, nil, "Lookup")
	cancel()
	t.stopIfFailed()
	t.here.holds(r, "once the ctx of its Insert has ended")
	t.there.holds(r, "once the ctx of its Insert has ended")
}
