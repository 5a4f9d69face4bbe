// Package faultproxy stands between a client and a server, in tests, and does to their connections what networks do.
package faultproxy

import (
	"context"
	"crypto/rand"
	"fmt"
	"math/big"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Proxy passes on what comes, until it is told otherwise. Make one with [New]; it ends with the test.
type Proxy struct {
	// Address is where it listens, the same after Up as before Down.
	Address string

	server string
	lose   func(request []byte) bool
	delay  atomic.Int64 // of each piece that is passed on, in ns

	gate sync.RWMutex // held for writing while nothing comes through

	mu       sync.Mutex
	listener net.Listener // nil: down
	frozen   bool
	links    map[*link]struct{}
}

// link is one connection.
type link struct {
	client, server net.Conn

	dead atomic.Bool // what is sent is swallowed, for good: a connection that lost a piece must not go on behind it
	lost atomic.Bool // the next reply ends it instead
}

// New returns a proxy to the server at that address.
func New(tb testing.TB, server string) *Proxy {
	tb.Helper()
	return NewLosing(tb, server, func([]byte) bool { return false })
}

// NewLosing returns a proxy that asks lose about each piece that a client sends. Where it says yes, the connection ends
// when the server has answered, in place of the answer.
func NewLosing(tb testing.TB, server string, lose func(request []byte) bool) *Proxy {
	tb.Helper()
	p := &Proxy{server: server, lose: lose, links: map[*link]struct{}{}}
	listener, err := listen()
	if err != nil {
		tb.Fatal(err)
	}
	p.Address = listener.Addr().String()
	p.begin(listener)
	tb.Cleanup(p.Down)
	return p
}

// listen takes no port of the ranges that outgoing connections get theirs from: while the proxy is down, one of them
// would sooner or later have it.
func listen() (listener net.Listener, err error) {
	for range 100 {
		var offset *big.Int
		if offset, err = rand.Int(rand.Reader, big.NewInt(10_000)); err != nil {
			return nil, err
		}
		if listener, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20_000+offset.Int64())); err == nil {
			return listener, nil
		}
	}
	return nil, err
}

func (p *Proxy) begin(listener net.Listener) {
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

// Delay holds up each piece, in both directions, for d; 0 ends that.
func (p *Proxy) Delay(d time.Duration) { p.delay.Store(int64(d)) }

// Reset ends all connections as a server does that has crashed. New ones work.
func (p *Proxy) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.reset()
	}
}

func (l *link) reset() {
	if tcp, ok := l.client.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = l.client.Close()
	_ = l.server.Close()
}

// Down refuses connections, and resets those there are.
func (p *Proxy) Down() {
	p.mu.Lock()
	if p.listener != nil {
		_ = p.listener.Close()
		p.listener = nil
	}
	p.mu.Unlock()
	p.Reset()
}

// Up ends Down.
func (p *Proxy) Up(tb testing.TB) {
	tb.Helper()
	listener, err := net.Listen("tcp", p.Address)
	if err != nil {
		tb.Fatal(err)
	}
	p.begin(listener)
}

// Freeze makes all connections half open, for good: they seem alive, and what is sent on them is lost. So it is with new
// ones, until Thaw.
func (p *Proxy) Freeze() {
	p.gate.Lock() // what is on its way comes through before Freeze returns, and nothing later
	defer p.gate.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.frozen = true
	for l := range p.links {
		l.dead.Store(true)
	}
}

// Thaw lets new connections work.
func (p *Proxy) Thaw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.frozen = false
}

// Hang holds everything up until release is called. Then it arrives, late.
func (p *Proxy) Hang() (release func()) {
	p.gate.Lock()
	return sync.OnceFunc(p.gate.Unlock)
}

// Links is how many connections there are.
func (p *Proxy) Links() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.links)
}

func (p *Proxy) serve(client net.Conn) {
	server, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", p.server)
	if err != nil {
		_ = client.Close()
		return
	}
	l := &link{client: client, server: server}
	p.mu.Lock()
	l.dead.Store(p.frozen)
	p.links[l] = struct{}{}
	if p.listener == nil {
		l.reset()
	}
	p.mu.Unlock()
	var pumps sync.WaitGroup
	pumps.Go(func() {
		p.pump(l, client, server, func(piece []byte) bool {
			if p.lose(piece) {
				l.lost.Store(true)
			}
			return true
		})
	})
	pumps.Go(func() { p.pump(l, server, client, func([]byte) bool { return !l.lost.Load() }) })
	pumps.Wait()
	p.mu.Lock()
	delete(p.links, l)
	p.mu.Unlock()
}

func (p *Proxy) pump(l *link, from, to net.Conn, pass func(piece []byte) bool) {
	defer func() { _, _ = from.Close(), to.Close() }()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		if d := time.Duration(p.delay.Load()); d > 0 {
			<-time.After(d)
		}
		if !p.deliver(l, to, buffer[:n], pass) {
			return
		}
	}
}

func (p *Proxy) deliver(l *link, to net.Conn, piece []byte, pass func(piece []byte) bool) bool {
	p.gate.RLock()
	defer p.gate.RUnlock()
	if l.dead.Load() {
		return true
	}
	if !pass(piece) {
		return false
	}
	_, err := to.Write(piece)
	return err == nil
}
