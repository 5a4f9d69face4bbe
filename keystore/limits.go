package keystore

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/claviger-go/claviger/keystore/internal/misuse"
)

// Limits narrow where and how a credential may be used. The zero value narrows
// nothing; a list that is set but empty is refused when it is written, since it
// could be read as "all" or as "none".
type Limits struct {
	Networks       []netip.Prefix `json:"networks,omitzero"`        // the only ones allowed
	DeniedNetworks []netip.Prefix `json:"denied_networks,omitzero"` // refused even so
	Audiences      []string       `json:"audiences,omitzero"`       // services that may accept it; exact match
	Methods        []string       `json:"methods,omitzero"`         // HTTP methods allowed
	Routes         []string       `json:"routes,omitzero"`          // patterns of the routes allowed, as the router spells them, without a method
	ServerOnly     bool           `json:"server_only,omitzero"`     // refuse requests that a browser made
	Rate           Rate           `json:"rate,omitzero"`            // how many requests it may make
	// Services is for how many services the key is licensed: 1 to 15; 0: any number.
	// More than that are no reason to refuse a request, but are told of, see
	// [MisusePolicy]. Two services are those that have neither a network in common
	// (a /24 of IPv4, a /48 of IPv6) nor a client (the first word of User-Agent,
	// without a version), also not by way of others, within a window. So a service
	// behind NAT, with several ways out, or that is deployed with another client is
	// one; and so are two that share an office or an HTTP library: what is told of is
	// true, and what is not told of may be. Uses of the key's sessions count. At most
	// 16 uses a second are looked at, and 16 different ones in a window.
	Services int `json:"services,omitzero"`

	// IdleTimeout refuses the credential once it was not used for so long, since it
	// was created, given a new secret, or began to be valid: at least 24 h. The store
	// has to keep usage. Where several processes use it, a use counts for the others
	// when it is written (Config.UsageInterval). The key keeps its place in a quota; a
	// new secret ([Keys.Rotate]) or a longer IdleTimeout wakes it up.
	IdleTimeout time.Duration `json:"idle_timeout,omitzero"`
}

func (l *Limits) problems() []error {
	var problems []error
	bad := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	for _, list := range []struct {
		field string
		null  bool
		size  int
	}{
		{"Networks", l.Networks == nil, len(l.Networks)},
		{"DeniedNetworks", l.DeniedNetworks == nil, len(l.DeniedNetworks)},
		{"Audiences", l.Audiences == nil, len(l.Audiences)},
		{"Methods", l.Methods == nil, len(l.Methods)},
		{"Routes", l.Routes == nil, len(l.Routes)},
	} {
		if !list.null && (list.size == 0 || list.size > maxList) {
			bad("Limits.%s has %d entries: want 1 to %d, or nil for no limit", list.field, list.size, maxList)
		}
	}
	problems = append(problems, checkNetworks("Limits.Networks", l.Networks)...)
	problems = append(problems, checkNetworks("Limits.DeniedNetworks", l.DeniedNetworks)...)
	for _, a := range l.Audiences {
		if err := checkText(a, maxLabel); err != nil || a == "" {
			bad("Limits.Audiences: %q: want 1 to %d bytes of text", cut(a), maxLabel)
		}
	}
	for _, route := range l.Routes {
		if err := checkText(route, maxLabel); err != nil || strings.ContainsRune(route, ' ') || !strings.Contains(route, "/") {
			bad("Limits.Routes: %q: want the pattern of a route, such as /claims/{id}, without a method", cut(route))
		}
	}
	for _, m := range l.Methods {
		if m == "" || len(m) > maxShort || strings.ContainsFunc(m, func(c rune) bool { return c < 'A' || c > 'Z' }) {
			bad("Limits.Methods: %q: want an HTTP method in upper case", cut(m))
		}
	}
	if l.Services < 0 || l.Services >= misuse.MaxTraces {
		bad("Limits.Services is %d: want 1 to %d, or 0 for any number", l.Services, misuse.MaxTraces-1)
	}
	if l.IdleTimeout != 0 && l.IdleTimeout < minIdleTimeout {
		bad("Limits.IdleTimeout %v: want at least %v, or 0 for no limit", l.IdleTimeout, minIdleTimeout)
	}
	if err := l.Rate.check(); err != nil {
		problems = append(problems, err)
	}
	return problems
}

func checkNetworks(field string, list []netip.Prefix) (problems []error) {
	for _, p := range list {
		if !p.IsValid() || p != p.Masked() || p.Addr().Is4In6() {
			problems = append(problems, fmt.Errorf("%s: %v: want a prefix without host bits, such as 192.0.2.0/24", field, p))
		}
	}
	return problems
}

// any reports whether there are limits that [Record.admits] asks about.
func (l *Limits) any() bool {
	return l.Networks != nil || l.DeniedNetworks != nil || l.Audiences != nil || l.Methods != nil || l.Routes != nil ||
		l.ServerOnly
}

func (l *Limits) allowNetwork(remote netip.Addr) bool {
	if l.Networks == nil && l.DeniedNetworks == nil {
		return true
	}
	// No prefix contains an address that is mapped or has a zone: a denied one would pass.
	remote = remote.Unmap().WithZone("")
	holds := func(p netip.Prefix) bool { return p.Contains(remote) }
	return remote.IsValid() &&
		!slices.ContainsFunc(l.DeniedNetworks, holds) &&
		(l.Networks == nil || slices.ContainsFunc(l.Networks, holds))
}

// allowRoute compares the pattern of the matched route. One that is not known is no
// route that could have been allowed.
func (l *Limits) allowRoute(pattern string) bool {
	if l.Routes == nil {
		return true
	}
	if _, path, ok := strings.Cut(pattern, " "); ok {
		pattern = strings.TrimLeft(path, " \t") // ServeMux: [METHOD ][HOST]/[PATH]
	}
	return slices.Contains(l.Routes, pattern)
}
