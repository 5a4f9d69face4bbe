package enginetest_test

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/sqlstore"
)

// errands are what other processes do for a test: this same binary, started with the errand in its environment.
var errands = map[string]func(ctx context.Context, p place, orders *bufio.Reader) error{
	"migrate": func(ctx context.Context, p place, _ *bufio.Reader) error {
		db, err := p.pool()
		if err != nil {
			return err
		}
		defer func() { _ = db.Close() }()
		return sqlstore.Migrate(ctx, db, p.dialect)
	},
	"contend": contend,
}

// full tells that the run is as long as the one that the README's figures come from.
var full = os.Getenv("CLAVIGER_HARNESS") == "full"

func TestMain(m *testing.M) {
	errand, ok := errands[os.Getenv("CLAVIGER_TEST_ERRAND")]
	if !ok {
		os.Exit(tests(m)) //nolint:forbidigo // as every TestMain
	}
	os.Exit(run(errand)) //nolint:forbidigo // this is another process, and ends
}

// tests are short under the race detector.
func tests(m *testing.M) int {
	flag.Parse()
	if underRaceDetector && !full {
		if err := flag.Set("test.short", "true"); err != nil {
			panic(err)
		}
	}
	return m.Run()
}

func run(errand func(ctx context.Context, p place, orders *bufio.Reader) error) (code int) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	if err := errand(ctx, parsePlace(os.Getenv("CLAVIGER_TEST_PLACE")), bufio.NewReader(os.Stdin)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// process is another process on its errand.
type process struct {
	*exec.Cmd

	orders  io.WriteCloser
	answers *bufio.Reader
	stderr  strings.Builder
}

func start(t *testing.T, errand string, p place) *process {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "CLAVIGER_TEST_ERRAND="+errand, "CLAVIGER_TEST_PLACE="+p.String())
	other := &process{Cmd: cmd}
	cmd.Stderr = &other.stderr
	orders, err := cmd.StdinPipe()
	require.NoError(t, err)
	answers, err := cmd.StdoutPipe()
	require.NoError(t, err)
	other.orders, other.answers = orders, bufio.NewReader(answers)
	require.NoError(t, cmd.Start())
	return other
}

func (o *process) finish(t *testing.T) {
	t.Helper()
	require.NoError(t, o.orders.Close())
	require.NoError(t, o.Wait(), o.stderr.String())
}
