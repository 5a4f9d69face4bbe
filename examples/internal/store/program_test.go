package store_test

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/examples/internal/store"
	"github.com/claviger-go/claviger/keystore"
)

// Every program on every store, twice: a key outlives the program exactly where the store does, and a program that is
// told to end writes first how often its keys were used.
func TestPrograms(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"quickstart", "gin"} {
		binary := build(t, name)
		refuses(t, binary)
		for _, place := range places {
			t.Run(name+"/"+place.kind, func(t *testing.T) {
				t.Parallel()
				at := place.url(t)

				first := start(t, binary, at)
				require.Equal(t, http.StatusOK, first.get(t, first.key))
				first.stop(t)

				second := start(t, binary, at)
				require.NotEqual(t, first.key, second.key)
				require.Equal(t, http.StatusOK, second.get(t, second.key))
				if place.kind == "memory" {
					require.Equal(t, http.StatusUnauthorized, second.get(t, first.key))
					second.stop(t)
					return
				}
				require.Equal(t, http.StatusOK, second.get(t, first.key), "a key of the first start")
				second.stop(t)

				s, err := store.Open(t.Context(), at)
				require.NoError(t, err)
				defer func() { require.NoError(t, s.Close()) }()
				page, err := s.List(t.Context(), keystore.Filter{Owner: "acme"})
				require.NoError(t, err)
				require.Len(t, page.Records, 2)
				require.Equal(t, uint64(2), uses(t, s, first.key))
				require.Equal(t, uint64(1), uses(t, s, second.key))
			})
		}
	}
}

// uses is how often a key was used, as the store knows it.
func uses(t *testing.T, s *store.Store, key string) uint64 {
	t.Helper()
	id := strings.Split(key, "_")[2]
	usage, err := s.Usage(t.Context(), []string{id})
	require.NoError(t, err)
	require.Len(t, usage, 1)
	return usage[0].Count
}

// refuses: a wrong -store ends a program with the reason, on one line, and nothing else.
func refuses(t *testing.T, binary string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), binary, "-addr", "127.0.0.1:0", "-store", "keys.json")
	var stderr bytes.Buffer
	command.Stderr = &stderr
	output, err := command.Output()
	require.EqualError(t, err, "exit status 1")
	require.Empty(t, output)
	require.Contains(t, stderr.String(), "store: this is no URL of a store: want memory:, file:PATH")
	require.Equal(t, 1, strings.Count(stderr.String(), "\n"))
}

// build compiles a program as go run does.
func build(t *testing.T, name string) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), name+".exe") // for Windows; elsewhere a name like any other
	output, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "../../"+name).CombinedOutput()
	require.NoError(t, err, string(output))
	return binary
}

// program is one that runs.
type program struct {
	*exec.Cmd

	url, key string
	stdout   *bufio.Reader
	stderr   bytes.Buffer
}

// start returns when the program has printed its key.
func start(t *testing.T, binary, store string) *program {
	t.Helper()
	p := &program{Cmd: exec.CommandContext(t.Context(), binary, "-addr", "127.0.0.1:0", "-store", store)}
	p.Stderr = &p.stderr
	stdout, err := p.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.Start())
	p.stdout = bufio.NewReader(stdout)
	for p.key == "" {
		line, err := p.stdout.ReadString('\n')
		if err != nil {
			_ = p.Wait()
			t.Fatalf("it ended: %s", &p.stderr)
		}
		line = strings.TrimSpace(line)
		if url, ok := strings.CutPrefix(line, "listening on "); ok {
			p.url = url
		}
		if key, ok := strings.CutPrefix(line, "API_KEY="); ok {
			p.key = key
		}
	}
	return p
}

// get asks for claims over the socket, and returns the status. On a busy machine a Lookup may take longer than its 250 ms;
// a service that cannot answer is asked again.
func (p *program) get(t *testing.T, key string) int {
	t.Helper()
	for range 50 {
		if status := p.getOnce(t, key); status != http.StatusServiceUnavailable {
			return status
		}
	}
	return http.StatusServiceUnavailable
}

func (p *program) getOnce(t *testing.T, key string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+"/claims", http.NoBody)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+key)
	answer, err := http.DefaultTransport.RoundTrip(r) //nolint:forbidigo // nothing to configure
	require.NoError(t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	if answer.StatusCode == http.StatusOK {
		require.Equal(t, "claims of acme\n", string(body))
	}
	return answer.StatusCode
}

// stop tells the program to end, which it does without complaint.
func (p *program) stop(t *testing.T) {
	t.Helper()
	require.NoError(t, p.Process.Signal(syscall.SIGTERM))
	_, err := io.Copy(io.Discard, p.stdout)
	require.NoError(t, err)
	require.NoError(t, p.Wait(), p.stderr.String())
	require.Empty(t, p.stderr.String())
}
