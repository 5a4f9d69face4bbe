package across_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/goleak"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/middleware"
)

// replica is one process of a service.
type replica struct {
	keys *keystore.Keys
	auth *middleware.Auth
	log  *slog.Logger
}

// serve is that process: it opens the store, says where it listens, and serves until the first line on stdin. Then it
// closes everything, says whether anything is left over, and ends with stdin.
func serve(p place) error {
	store, err := p.openPatiently(context.Background())
	if err != nil {
		return err
	}
	r, err := newReplica(store, p.Skew)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: r.routes(), ReadHeaderTimeout: time.Minute}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) })
	say("http://" + listener.Addr().String())

	orders := bufio.NewScanner(os.Stdin)
	if !orders.Scan() {
		return errors.New("the test has ended")
	}
	err = errors.Join(server.Close(), r.keys.Close(), store.close())
	serving.Wait()
	if err := errors.Join(err, nothingLeft()); err != nil {
		return err
	}
	say("closed")
	orders.Scan()
	return nil
}

func say(line string) { _, _ = fmt.Fprintln(os.Stdout, line) }

// nothingLeft reports goroutines that are still there. A driver's may need its timeout to give a dead connection up.
func nothingLeft() error {
	for end := time.Now().Add(30 * time.Second); ; {
		err := goleak.Find()
		if err == nil || time.Now().After(end) {
			return err
		}
	}
}

func newReplica(store *backend, skew time.Duration) (*replica, error) {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	keys, err := keystore.New(store, keystore.Config{
		Now:     func() time.Time { return time.Now().Add(skew) },
		OnEvent: func(_ context.Context, e keystore.Event) { log.Info("event", "event", e) },
	})
	if err != nil {
		return nil, err
	}
	auth, err := middleware.New(keys, middleware.Config{
		OnDecision: func(_ context.Context, d middleware.Decision) {
			if d.Status != 0 {
				log.Debug("refused", "decision", d)
			}
		},
	})
	return &replica{keys, auth, log}, err
}

func (r *replica) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /guarded", r.auth.Authenticate(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	// These are for the test alone, and so guarded by nothing.
	for pattern, do := range map[string]func(*http.Request) (any, error){
		"POST /keys":        r.issue,
		"DELETE /keys/{id}": r.revoke,
		"POST /contend":     r.contend,
		"GET /count":        r.count,
		"GET /usage/{id}":   r.usage,
		"GET /goroutines":   func(*http.Request) (any, error) { return runtime.NumGoroutine(), nil },
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, q *http.Request) {
			answer, err := do(q)
			if err != nil {
				http.Error(w, err.Error(), http.StatusServiceUnavailable)
				return
			}
			_ = json.NewEncoder(w).Encode(answer)
		})
	}
	return mux
}

// key is a new one, with its text.
type key struct{ ID, Credential string }

func (r *replica) issue(q *http.Request) (any, error) {
	issued, err := r.keys.Issue(q.Context(), keystore.Spec{Owner: q.FormValue("owner")})
	return key{issued.Record.ID, issued.Credential.Reveal()}, err
}

func (r *replica) revoke(q *http.Request) (any, error) {
	patience, err := time.ParseDuration(q.FormValue("patience"))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(q.Context(), patience)
	defer cancel()
	return nil, r.keys.Revoke(ctx, q.PathValue("id"), keystore.ReasonCompromised)
}

// contenders are how many try at once in each process.
const contenders = 32

// race is what became of them.
type race struct{ Won, Unanswered int64 }

// contend lets all of them issue a key of one owner.
func (r *replica) contend(q *http.Request) (any, error) {
	limit, err := strconv.Atoi(q.FormValue("limit"))
	if err != nil {
		return nil, err
	}
	var won, unanswered atomic.Int64
	var group sync.WaitGroup
	for range contenders {
		group.Go(func() {
			_, err := r.keys.Issue(q.Context(), keystore.Spec{Owner: q.FormValue("owner"), MaxPerOwner: limit})
			switch {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, keystore.ErrQuota):
				unanswered.Add(1)
				r.log.Error("contending", "err", err)
			}
		})
	}
	group.Wait()
	return race{won.Load(), unanswered.Load()}, nil
}

func (r *replica) count(q *http.Request) (any, error) {
	page, err := r.keys.List(q.Context(), keystore.Filter{Owner: q.FormValue("owner"), Limit: keystore.MaxPage})
	return len(page.Records), err
}

func (r *replica) usage(q *http.Request) (any, error) {
	used, err := r.keys.Usage(q.Context(), q.PathValue("id"))
	if err != nil || len(used) != 1 {
		return uint64(0), err
	}
	return used[0].Count, nil
}
