package pgnotify_test

import (
	"encoding/binary"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// proxy stands between a pool and the server and does what networks and poolers do.
type proxy struct {
	address, server string

	deaf atomic.Bool // notifications get lost, and nothing else: what a client of a pooler sees, whose LISTEN went to a connection that others use now

	mu       sync.Mutex
	listener net.Listener // nil: down
	hole     bool         // connections are accepted, and that is all
	links    map[*link]struct{}
}

// link is one connection.
type link struct {
	client, server net.Conn

	dead atomic.Bool // what is sent is swallowed, for good
}

func newProxy(tb testing.TB, server string) *proxy {
	tb.Helper()
	p := &proxy{server: server, links: map[*link]struct{}{}}
	p.up(tb, "127.0.0.1:0")
	p.address = p.listener.Addr().String()
	tb.Cleanup(p.down)
	return p
}

func (p *proxy) up(tb testing.TB, address string) {
	tb.Helper()
	listener, err := net.Listen("tcp", address)
	require.NoError(tb, err)
	p.mu.Lock()
	p.listener = listener
	p.mu.Unlock()
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go p.serve(client)
		}
	}()
}

// down refuses connections and resets those there are.
func (p *proxy) down() {
	p.mu.Lock()
	if p.listener != nil {
		_ = p.listener.Close()
		p.listener = nil
	}
	p.mu.Unlock()
	p.reset()
}

func (p *proxy) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		if tcp, ok := l.client.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = l.client.Close()
		_ = l.server.Close()
	}
}

// freeze makes all connections half open; those to come as well, if it is a black hole, until thaw.
func (p *proxy) freeze(blackHole bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hole = blackHole
	for l := range p.links {
		l.dead.Store(true)
	}
}

// thaw lets new connections through. Those that have lost something remain as they are.
func (p *proxy) thaw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hole = false
}

func (p *proxy) serve(client net.Conn) {
	server, err := net.Dial("tcp", p.server) //nolint:noctx // on loopback, until the test ends
	if err != nil {
		_ = client.Close()
		return
	}
	l := &link{client: client, server: server}
	p.mu.Lock()
	l.dead.Store(p.hole)
	p.links[l] = struct{}{}
	p.mu.Unlock()
	var pumps sync.WaitGroup
	pumps.Go(func() { l.pump(l.bytes, client, server) })
	pumps.Go(func() { l.pump(p.messages, server, client) })
	pumps.Wait()
	p.mu.Lock()
	delete(p.links, l)
	p.mu.Unlock()
}

func (l *link) pump(next func(io.Reader) ([]byte, error), from, to net.Conn) {
	defer func() {
		_ = from.Close()
		_ = to.Close()
	}()
	for {
		piece, err := next(from)
		if err != nil {
			return
		}
		if l.dead.Load() {
			continue
		}
		if _, err := to.Write(piece); err != nil {
			return
		}
	}
}

func (*link) bytes(from io.Reader) ([]byte, error) {
	piece := make([]byte, 32<<10)
	n, err := from.Read(piece)
	return piece[:n], err
}

// messages reads one message of the server: a letter, the length of the rest in four bytes, the rest.
func (p *proxy) messages(from io.Reader) ([]byte, error) {
	var head [5]byte
	if _, err := io.ReadFull(from, head[:]); err != nil {
		return nil, err
	}
	message := make([]byte, 1+binary.BigEndian.Uint32(head[1:]))
	copy(message, head[:])
	if _, err := io.ReadFull(from, message[len(head):]); err != nil {
		return nil, err
	}
	if message[0] == 'A' && p.deaf.Load() {
		return nil, nil
	}
	return message, nil
}
