package middleware

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Names that [Proxy.Network] takes besides a prefix.
const (
	// PrivateNetworks are the loopback, private and link-local addresses.
	PrivateNetworks = "private"
	// UnixSocket is a peer on a Unix socket.
	UnixSocket = "unix"
)

// Proxy names peers that forward requests for others, and whose forwarding
// headers are believed. Whoever can connect from there can claim any address.
type Proxy struct {
	// Network is a prefix ("10.0.0.0/8"), PrivateNetworks or UnixSocket.
	Network string
	// TLSOnly says that these peers take requests over TLS alone, for balancers
	// that send no X-Forwarded-Proto. Defaults to false.
	TLSOnly bool
}

// proxy is a compiled Proxy.
type proxy struct {
	prefixes []netip.Prefix
	unix     bool
	tlsOnly  bool
}

func (p *Proxy) compile() (c proxy, ok bool) {
	c.tlsOnly = p.TLSOnly
	switch p.Network {
	case UnixSocket:
		c.unix = true
	case PrivateNetworks:
		for _, text := range []string{
			"127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16",
			"::1/128", "fc00::/7", "fe80::/10",
		} {
			c.prefixes = append(c.prefixes, netip.MustParsePrefix(text))
		}
	default:
		prefix, err := netip.ParsePrefix(p.Network)
		if err != nil || prefix != prefix.Masked() || prefix.Addr().Is4In6() {
			return c, false
		}
		c.prefixes = append(c.prefixes, prefix)
	}
	return c, true
}

func (p *proxy) holds(addr netip.Addr, unix bool) bool {
	if unix {
		return p.unix
	}
	for _, prefix := range p.prefixes {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// peer is the address at the other end of the connection (unmapped, without zone;
// invalid for a Unix socket or nonsense), and the proxy that it is, if any.
func (a *Auth) peer(r *http.Request) (netip.Addr, *proxy) {
	addr := parseAddr(r.RemoteAddr)
	unix := r.RemoteAddr == "" || r.RemoteAddr[0] == '@' || r.RemoteAddr[0] == '/'
	return addr, a.proxy(addr, unix)
}

func (a *Auth) proxy(addr netip.Addr, unix bool) *proxy {
	for i := range a.proxies {
		if a.proxies[i].holds(addr, unix) {
			return &a.proxies[i]
		}
	}
	return nil
}

// secure reports whether the request came over HTTPS all the way that can be
// known. A loopback peer counts only without forwarding headers: with one it is a
// proxy, and has to be named.
func (a *Auth) secure(r *http.Request) bool {
	if a.config.DangerouslyAllowHTTP || r.TLS != nil && len(a.proxies) == 0 {
		return true
	}
	addr, proxy := a.peer(r)
	if proxy == nil {
		return r.TLS != nil || addr.IsLoopback() && !forwarded(r.Header)
	}
	if said, https := forwardedScheme(r.Header); said {
		return https
	}
	return proxy.tlsOnly || r.TLS != nil
}

// forwarded reports whether any header says that the peer speaks for another.
func forwarded(h http.Header) bool {
	for name := range h {
		switch name {
		case "Forwarded", "Via", "X-Real-Ip", "X-Client-Ip", "X-Original-Forwarded-For", "X-Cluster-Client-Ip",
			"True-Client-Ip", "Cf-Connecting-Ip", "Fastly-Client-Ip", "Front-End-Https":
			return true
		}
		if strings.HasPrefix(name, "X-Forwarded-") {
			return true
		}
	}
	return false
}

// forwardedScheme reads X-Forwarded-Proto and Forwarded (RFC 7239 §5.4). Where
// hops or headers disagree, the worst counts.
func forwardedScheme(h http.Header) (said, https bool) {
	https = true
	hear := func(scheme string) {
		said = true
		https = https && strings.EqualFold(strings.Trim(scheme, " \t\""), "https")
	}
	for _, line := range h["X-Forwarded-Proto"] {
		for scheme := range strings.SplitSeq(line, ",") {
			hear(scheme)
		}
	}
	for _, line := range h["Forwarded"] {
		for pair := range strings.FieldsFuncSeq(line, func(c rune) bool { return c == ',' || c == ';' }) {
			name, value, _ := strings.Cut(pair, "=")
			if strings.EqualFold(strings.Trim(name, " \t"), "proto") {
				hear(value)
			}
		}
	}
	return said, said && https
}

// client is the address that the request came from: the peer's, or behind trusted
// proxies the rightmost in X-Forwarded-For that is not one of them. Invalid if it
// cannot be known. Forwarded's for= is not read: a proxy that sets one header
// passes the other on as the client sent it.
func (a *Auth) client(r *http.Request) netip.Addr {
	client, proxy := a.peer(r)
	if proxy == nil {
		return client
	}
	client = netip.Addr{} // a proxy that names nobody may speak for anybody
	lines := r.Header["X-Forwarded-For"]
	for _, line := range slices.Backward(lines) {
		for rest, more := line, true; more; {
			var item string
			if comma := strings.LastIndexByte(rest, ','); comma >= 0 {
				rest, item = rest[:comma], rest[comma+1:]
			} else {
				item, more = rest, false
			}
			client = parseAddr(strings.Trim(item, " \t"))
			if !client.IsValid() || a.proxy(client, false) == nil {
				return client
			}
		}
	}
	return client // the first of our own proxies, if they are all there is
}

// Remote is the address of the client that made the request, for
// [keystore.Login.Remote] and the like. Invalid if it cannot be known: a trusted proxy
// does not say, or a peer that is not trusted says that it forwards for others.
func (a *Auth) Remote(r *http.Request) netip.Addr {
	if addr, certain := a.origin(r); certain {
		return addr
	}
	return netip.Addr{}
}

// origin is the address that the request came from, and whether that is the client's.
// A client can have it taken for a balancer's by a header of its own; it gains that
// nobody counts its wrong credentials.
func (a *Auth) origin(r *http.Request) (addr netip.Addr, certain bool) {
	if addr, proxy := a.peer(r); proxy == nil {
		return addr, !forwarded(r.Header)
	}
	return a.client(r), true
}

// parseAddr reads an address with or without a port, unmapped and without zone.
func parseAddr(text string) netip.Addr {
	if withPort, err := netip.ParseAddrPort(text); err == nil {
		return withPort.Addr().Unmap().WithZone("")
	}
	addr, err := netip.ParseAddr(strings.Trim(text, "[]"))
	if err != nil {
		return netip.Addr{}
	}
	return addr.Unmap().WithZone("")
}
