package storetest

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

// recorder stands in for the testing.T of one case, and notes what becomes of it.
type recorder struct {
	testing.TB // for the methods that the suite does not call

	mu       sync.Mutex
	failed   bool
	skipped  bool
	log      []string
	cleanups []func()

	ctx context.Context
}

func (r *recorder) Helper() {}

func (r *recorder) Context() context.Context { return r.ctx }

func (r *recorder) Log(args ...any)                 { r.note(fmt.Sprint(args...), false) }
func (r *recorder) Logf(format string, args ...any) { r.note(fmt.Sprintf(format, args...), false) }

func (r *recorder) Error(args ...any)                 { r.note(fmt.Sprint(args...), true) }
func (r *recorder) Errorf(format string, args ...any) { r.note(fmt.Sprintf(format, args...), true) }

func (r *recorder) Fatal(args ...any) {
	r.Error(args...)
	r.FailNow()
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	r.FailNow()
}

func (r *recorder) Skip(args ...any) {
	r.Log(args...)
	r.SkipNow()
}

func (r *recorder) Skipf(format string, args ...any) {
	r.Logf(format, args...)
	r.SkipNow()
}

// SkipNow and FailNow end the goroutine, as those of a testing.T do.
func (r *recorder) SkipNow() {
	r.mu.Lock()
	r.skipped = true
	r.mu.Unlock()
	runtime.Goexit()
}

func (r *recorder) FailNow() {
	r.note("", true)
	runtime.Goexit()
}

func (r *recorder) note(text string, failed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.log = append(r.log, text)
	r.failed = r.failed || failed
}

func (r *recorder) Failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}

func (r *recorder) Cleanup(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cleanups = append(r.cleanups, f)
}

// record runs one case as go test would.
func record(t *testing.T, s *suite, d *duty, c *testCase) *recorder {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := &recorder{TB: t, ctx: ctx}
	done := make(chan struct{})
	go func() { // FailNow ends the goroutine of a test
		defer close(done)
		s.attempt(r, d, c)
	}()
	<-done
	cancel()
	for _, f := range slices.Backward(r.cleanups) {
		f()
	}
	return r
}

// outcome is what became of all cases.
type outcome struct {
	passed, failed, skipped []string
	logs                    map[string]string
}

func run(t *testing.T, s *suite, chosen func(name string) bool) outcome {
	t.Helper()
	o := outcome{logs: map[string]string{}}
	for _, d := range duties() {
		for _, c := range d.cases {
			name := d.label + "/" + c.name
			if !chosen(name) {
				continue
			}
			r := record(t, s, &d, &c)
			o.logs[name] = strings.Join(r.log, "\n")
			switch {
			case r.failed:
				o.failed = append(o.failed, name)
			case r.skipped:
				o.skipped = append(o.skipped, name)
			default:
				o.passed = append(o.passed, name)
			}
		}
	}
	return o
}

func every(string) bool { return true }
