package across_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// process is a replica that runs.
type process struct {
	command *exec.Cmd
	orders  io.WriteCloser
	answers *bufio.Reader
	log     bytes.Buffer // to be read when it has ended
	url     string
	client  *http.Client
	ended   bool

	mu    sync.Mutex
	shown []string // secrets that it has seen
}

// starting are those that start now: dozens at once would keep the engines from answering.
var starting = make(chan struct{}, 3)

// start starts one. It is closed with the test, and has to leave nothing.
func start(t *testing.T, p place) *process {
	t.Helper()
	starting <- struct{}{}
	defer func() { <-starting }()
	role, err := json.Marshal(p)
	require.NoError(t, err)
	o := &process{
		command: exec.CommandContext(context.WithoutCancel(t.Context()), os.Args[0]),
		client:  &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}},
	}
	// The race detector would keep each process for a second at its end.
	o.command.Env = append(os.Environ(), roleVar+"="+string(role), "GORACE=atexit_sleep_ms=10 "+os.Getenv("GORACE"))
	o.command.Stderr = &o.log
	o.orders, err = o.command.StdinPipe()
	require.NoError(t, err)
	out, err := o.command.StdoutPipe()
	require.NoError(t, err)
	o.answers = bufio.NewReader(out)
	require.NoError(t, o.command.Start())
	t.Cleanup(func() {
		if !o.ended {
			o.finish(t)
		}
	})
	o.url = o.read(t)
	return o
}

// read returns the next line that the process says.
func (o *process) read(t *testing.T) string {
	t.Helper()
	line, err := o.answers.ReadString('\n')
	if err != nil {
		o.ended = true
		_ = o.orders.Close()
		_ = o.command.Wait()
		require.NoError(t, err, "the process ended: %s", &o.log)
	}
	return strings.TrimSpace(line)
}

// close lets it close everything. It stays, with nothing left over (T-136).
func (o *process) close(t *testing.T) {
	t.Helper()
	o.client.CloseIdleConnections()
	_, err := fmt.Fprintln(o.orders, "close")
	require.NoError(t, err)
	require.Equal(t, "closed", o.read(t))
}

// finish is close, and its end. No secret is in what it wrote meanwhile (T-125).
func (o *process) finish(t *testing.T) {
	t.Helper()
	o.close(t)
	o.end(t)
}

func (o *process) end(t *testing.T) {
	t.Helper()
	o.ended = true
	require.NoError(t, o.orders.Close())
	require.NoError(t, o.command.Wait(), &o.log)
	for _, secret := range o.shown {
		require.NotContains(t, o.log.String(), secret)
	}
}

// kill ends it where it stands.
func (o *process) kill(t *testing.T) {
	t.Helper()
	o.ended = true
	require.NoError(t, o.command.Process.Kill())
	_ = o.command.Wait() // killed
	_ = o.orders.Close()
	o.client.CloseIdleConnections()
}

// ask makes one of the test's own requests.
func (o *process) ask(ctx context.Context, method, path string, values url.Values, answer any) error {
	q, err := http.NewRequestWithContext(ctx, method, o.url+path+"?"+values.Encode(), http.NoBody)
	if err != nil {
		return err
	}
	r, err := o.client.Do(q)
	if err != nil {
		return err
	}
	defer func() { _ = r.Body.Close() }()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	if r.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", r.Status, body)
	}
	return json.Unmarshal(body, answer)
}

func (o *process) issue(t *testing.T) (k key) {
	t.Helper()
	patiently(t, func() (err error) {
		k, err = o.tryIssue(t.Context())
		return err
	})
	return k
}

func (o *process) tryIssue(ctx context.Context) (k key, err error) {
	if err = o.ask(ctx, http.MethodPost, "/keys", url.Values{"owner": {"acme"}}, &k); err == nil {
		o.note(k)
	}
	return k, err
}

func (o *process) note(k key) {
	o.mu.Lock()
	defer o.mu.Unlock()
	parts := strings.Split(k.Credential, "_")
	o.shown = append(o.shown, parts[len(parts)-1])
}

func (o *process) revoke(t *testing.T, k key) {
	t.Helper()
	patiently(t, func() error { return o.tryRevoke(t.Context(), k, patience) })
}

func (o *process) tryRevoke(ctx context.Context, k key, patience time.Duration) error {
	return o.ask(ctx, http.MethodDelete, "/keys/"+k.ID, url.Values{"patience": {patience.String()}}, new(any))
}

func (o *process) goroutines(t *testing.T) (n int) {
	t.Helper()
	o.client.CloseIdleConnections()
	require.NoError(t, o.ask(t.Context(), http.MethodGet, "/goroutines", nil, &n))
	return n
}

// patience is for engines that many tests keep busy.
const patience = 30 * time.Second

// patiently tries again what an engine did not answer. After an error a key is revoked again (T-040).
func patiently(t *testing.T, try func() error) {
	t.Helper()
	for end := time.Now().Add(patience); ; {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			require.NoError(t, err)
		}
		<-time.After(time.Millisecond)
	}
}
