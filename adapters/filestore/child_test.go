package filestore_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/filestore"
)

const childVar = "CLAVIGER_FILESTORE_CHILD"

// A job is what a second process does: this test binary, started again.
type job func(ctx context.Context, s *filestore.Store, path string, args []string, out io.Writer) error

func jobs() map[string]job {
	all := map[string]job{"write": writeAtRandom, "count": countUp, "fill": fillQuotas, "announce": announce, "hold": holdLock}
	maps.Copy(all, systemJobs())
	return all
}

func TestMain(m *testing.M) {
	line, ok := os.LookupEnv(childVar)
	if !ok {
		m.Run()
		return
	}
	if err := runJob(strings.Split(line, "\n")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) //nolint:forbidigo // this is a program
	}
	os.Exit(0) //nolint:forbidigo // this is a program
}

func runJob(line []string) error {
	name, path, args := line[0], line[1], line[2:]
	s, err := filestore.Open(path, filestore.Config{})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	return jobs()[name](ctx, s, path, args, os.Stdout)
}

type child struct {
	command *exec.Cmd
	out     *bufio.Scanner
	stderr  bytes.Buffer
}

// begin starts a process with a job on the store at path.
func begin(t *testing.T, job, path string, args ...string) *child {
	t.Helper()
	program, err := os.Executable()
	require.NoError(t, err)
	c := &child{command: exec.CommandContext(t.Context(), program)}
	c.command.Env = append(os.Environ(), childVar+"="+strings.Join(append([]string{job, path}, args...), "\n"))
	c.command.Stderr = &c.stderr
	out, err := c.command.StdoutPipe()
	require.NoError(t, err)
	c.out = bufio.NewScanner(out)
	require.NoError(t, c.command.Start())
	return c
}

// finish waits for the end of the job, which has to be a good one.
func (c *child) finish(t *testing.T) {
	t.Helper()
	for c.out.Scan() {
	}
	require.NoError(t, c.command.Wait(), "the child says: %s", &c.stderr)
}

// kill ends the process where it stands and returns what it said since.
func (c *child) kill(t *testing.T) (said []string) {
	t.Helper()
	require.NoError(t, c.command.Process.Kill())
	for c.out.Scan() {
		said = append(said, c.out.Text())
	}
	_ = c.command.Wait() // killed
	return said
}

// say writes a line to the parent, which reads to the end.
func say(out io.Writer, words ...any) { _, _ = fmt.Fprintln(out, words...) }
