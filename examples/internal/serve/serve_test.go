package serve_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/examples/internal/serve"
)

// A request that is under way when the signal comes is answered before UntilSignal returns. (Not parallel: the signal is for the whole
// process.)
func TestUntilSignal(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no signals between processes")
	}
	self, err := os.FindProcess(os.Getpid())
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := &http.Server{ReadHeaderTimeout: time.Minute}
	ending := make(chan struct{})
	server.RegisterOnShutdown(func() { close(ending) })
	server.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if err := self.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
		<-ending
		_, _ = io.WriteString(w, "answered")
	})
	ended := make(chan error, 1)
	go func() { ended <- serve.UntilSignal(server, listener) }()

	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+listener.Addr().String(), http.NoBody)
	require.NoError(t, err)
	answer, err := new(http.Transport).RoundTrip(r)
	require.NoError(t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.Equal(t, "answered", string(body))
	require.NoError(t, <-ended)
}

// A request that never ends holds up the end for five seconds, and is cut off.
func TestUntil_Hanging(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		listener := newListener()
		asked, cut := make(chan struct{}), make(chan struct{})
		server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			close(asked)
			<-r.Context().Done()
			close(cut)
		})}
		ctx, end := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- serve.Until(ctx, server, listener) }()

		client := listener.dial()
		_, err := io.WriteString(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		require.NoError(t, err)
		<-asked
		began := time.Now()
		end()
		require.ErrorIs(t, <-ended, context.DeadlineExceeded)
		require.Equal(t, 5*time.Second, time.Since(began))
		<-cut
		_, err = bufio.NewReader(client).ReadByte()
		require.ErrorIs(t, err, io.EOF)
	})
}

// When nobody can be served any more, the reason comes back.
func TestUntil_Failing(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	err = serve.Until(t.Context(), &http.Server{ReadHeaderTimeout: time.Minute}, listener)
	require.ErrorIs(t, err, net.ErrClosed)
}

// pipes is a listener in memory: synctest knows nothing of sockets.
type pipes struct {
	connections chan net.Conn
	closed      chan struct{}
}

func newListener() *pipes { return &pipes{make(chan net.Conn), make(chan struct{})} }

func (p *pipes) dial() net.Conn {
	client, server := net.Pipe()
	p.connections <- server
	return client
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.connections:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	close(p.closed)
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }
