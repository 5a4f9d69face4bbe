package redisstore_test

import (
	"bytes"
	"sync/atomic"
	"testing"

	"github.com/claviger-go/claviger/adapters/internal/faultproxy"
)

// proxy stands between a client and a server. It counts the scripts that it passes on, and can lose their replies.
type proxy struct {
	*faultproxy.Proxy

	swallow atomic.Int64 // how many replies to scripts are lost, each with its connection
	scripts atomic.Int64 // how many scripts were passed on
}

func newProxy(tb testing.TB, server string) *proxy {
	tb.Helper()
	p := &proxy{}
	p.Proxy = faultproxy.NewLosing(tb, server, func(request []byte) bool {
		if !bytes.Contains(request, []byte("\r\nevalsha\r\n")) {
			return false
		}
		p.scripts.Add(1)
		return p.swallow.Add(-1) >= 0
	})
	return p
}
