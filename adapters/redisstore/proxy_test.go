package redisstore_test

import (
	"bytes"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// proxy stands between a client and a server and does what networks do.
type proxy struct {
	address, server string

	latency atomic.Int64 // before each piece that is passed on, in ns
	swallow atomic.Int64 // how many replies to scripts are lost, each with its connection
	scripts atomic.Int64 // how many scripts were passed on

	mu       sync.Mutex
	listener net.Listener // nil: down
	hole     bool         // connections are accepted, and that is all
	links    map[*link]struct{}
}

// link is one connection.
type link struct {
	client, server net.Conn

	dead atomic.Bool // what is sent is swallowed, for good: a connection that lost a piece must not go on behind it
	lose atomic.Bool // the next reply
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

// freeze makes all connections half open, and those to come as well until thaw, after which new ones work.
func (p *proxy) freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hole = true
	for l := range p.links {
		l.dead.Store(true)
	}
}

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
	pumps.Go(func() { p.pump(l, client, server, p.request) })
	pumps.Go(func() { p.pump(l, server, client, func(l *link, _ []byte) bool { return !l.lose.Load() }) })
	pumps.Wait()
	p.mu.Lock()
	delete(p.links, l)
	p.mu.Unlock()
}

// request looks for scripts. Their replies are what can be lost.
func (p *proxy) request(l *link, piece []byte) bool {
	if bytes.Contains(piece, []byte("\r\nevalsha\r\n")) {
		p.scripts.Add(1)
		if p.swallow.Add(-1) >= 0 {
			l.lose.Store(true)
		}
	}
	return true
}

func (p *proxy) pump(l *link, from, to net.Conn, pass func(l *link, piece []byte) bool) {
	defer func() {
		_ = from.Close()
		_ = to.Close()
	}()
	piece := make([]byte, 64<<10)
	for {
		n, err := from.Read(piece)
		if err != nil {
			return
		}
		if d := p.latency.Load(); d > 0 {
			time.Sleep(time.Duration(d)) // a slow network
		}
		if l.dead.Load() {
			continue
		}
		if !pass(l, piece[:n]) {
			return
		}
		if _, err := to.Write(piece[:n]); err != nil {
			return
		}
	}
}
