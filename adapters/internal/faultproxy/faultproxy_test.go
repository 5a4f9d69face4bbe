package faultproxy_test

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/internal/faultproxy"
)

// echo is a server that answers what it is told.
func echo(t *testing.T) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				_, _ = io.Copy(conn, conn)
			}()
		}
	}()
	return listener.Addr().String()
}

type client struct{ net.Conn }

func dial(t *testing.T, p *faultproxy.Proxy) client {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", p.Address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return client{conn}
}

// says reports whether a word came back in time.
func (c client) says(word string, within time.Duration) error {
	if _, err := io.WriteString(c, word); err != nil {
		return err
	}
	return c.reads(word, within)
}

func (c client) reads(word string, within time.Duration) error {
	_ = c.SetReadDeadline(time.Now().Add(within))
	answer := make([]byte, len(word))
	if _, err := io.ReadFull(c, answer); err != nil {
		return err
	}
	if string(answer) != word {
		return errors.New("heard " + string(answer))
	}
	return nil
}

const (
	soon  = 10 * time.Second
	never = 100 * time.Millisecond
)

func works(t *testing.T, c client) {
	t.Helper()
	require.NoError(t, c.says("word", soon))
}

func TestProxy(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		desc string
		try  func(t *testing.T, p *faultproxy.Proxy, c client)
	}{
		{"delays", func(t *testing.T, p *faultproxy.Proxy, c client) {
			p.Delay(50 * time.Millisecond)
			began := time.Now()
			works(t, c)
			require.GreaterOrEqual(t, time.Since(began), 100*time.Millisecond, "both ways")
		}},
		{"resets", func(t *testing.T, p *faultproxy.Proxy, c client) {
			p.Reset()
			require.ErrorIs(t, c.reads("word", soon), syscall.ECONNRESET)
			works(t, dial(t, p))
		}},
		{"is half open", func(t *testing.T, p *faultproxy.Proxy, c client) {
			p.Freeze()
			later := dial(t, p)
			require.ErrorIs(t, c.says("lost", never), os.ErrDeadlineExceeded)
			require.ErrorIs(t, later.says("lost", never), os.ErrDeadlineExceeded)
			p.Thaw()
			require.ErrorIs(t, c.says("lost, too", never), os.ErrDeadlineExceeded, "for good")
			works(t, dial(t, p))
		}},
		{"hangs", func(t *testing.T, p *faultproxy.Proxy, c client) {
			release := p.Hang()
			require.ErrorIs(t, c.says("late", never), os.ErrDeadlineExceeded)
			release()
			require.NoError(t, c.reads("late", soon))
			works(t, c)
		}},
		{"is down", func(t *testing.T, p *faultproxy.Proxy, c client) {
			p.Down()
			require.ErrorIs(t, c.reads("word", soon), syscall.ECONNRESET)
			_, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", p.Address)
			require.ErrorIs(t, err, syscall.ECONNREFUSED)
			p.Up(t)
			works(t, dial(t, p))
		}},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			t.Parallel()
			p := faultproxy.New(t, echo(t))
			c := dial(t, p)
			works(t, c)
			require.Equal(t, 1, p.Links())
			tc.try(t, p, c)
		})
	}
}

func TestProxy_LosesReplies(t *testing.T) {
	t.Parallel()
	p := faultproxy.NewLosing(t, echo(t), func(request []byte) bool { return strings.Contains(string(request), "lose") })
	c := dial(t, p)
	works(t, c)
	require.ErrorIs(t, c.says("lose this", soon), io.EOF)
	require.Eventually(t, func() bool { return p.Links() == 0 }, 10*time.Second, time.Millisecond)
	works(t, dial(t, p))
}
