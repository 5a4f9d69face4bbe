package guardtest

import (
	"context"
	"crypto/sha256"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Reference is what a service would write by hand, with nothing revoked, expired,
// limited or counted: header, SHA-256, map, two scope bits, context.
type Reference struct {
	mu   sync.RWMutex
	keys map[[sha256.Size]byte]*bits
}

type bits struct{ scopes uint64 }

type bitsKey struct{}

// NewReference knows the credentials and the scope bits of each.
func NewReference(keys map[string]uint64) *Reference {
	f := &Reference{keys: map[[sha256.Size]byte]*bits{}}
	for credential, scopes := range keys {
		f.keys[sha256.Sum256([]byte(credential))] = &bits{scopes}
	}
	return f
}

// Admit is to the reference what Auth.Admit is to Auth; it asks for two scopes.
func (f *Reference) Admit(w http.ResponseWriter, r *http.Request) (*http.Request, bool) {
	text, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		w.Header().Set("WWW-Authenticate", "Bearer")
		http.Error(w, "unauthorized", http.StatusUnauthorized)
		return r, false
	}
	digest := sha256.Sum256([]byte(text))
	f.mu.RLock()
	who := f.keys[digest]
	f.mu.RUnlock()
	if who == nil {
		w.Header().Set("WWW-Authenticate", "Bearer")
		http.Error(w, "unauthorized", http.StatusUnauthorized)
		return r, false
	}
	if who.scopes&3 != 3 {
		http.Error(w, "forbidden", http.StatusForbidden)
		return r, false
	}
	return r.WithContext(context.WithValue(r.Context(), bitsKey{}, who)), true
}

// Guard is the reference as a middleware of net/http.
func (f *Reference) Guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r, ok := f.Admit(w, r); ok {
			next.ServeHTTP(w, r)
		}
	})
}

// Nowhere is a ResponseWriter that costs nothing.
type Nowhere struct{ header http.Header }

// NewNowhere returns one.
func NewNowhere() *Nowhere { return &Nowhere{http.Header{}} }

// Header implements [http.ResponseWriter].
func (n *Nowhere) Header() http.Header { return n.header }

// Write implements [http.ResponseWriter].
func (n *Nowhere) Write(b []byte) (int, error) { return len(b), nil }

// WriteHeader implements [http.ResponseWriter].
func (n *Nowhere) WriteHeader(int) {}

// Ratio serves the request by the reference and by the other in turns, so that
// whatever else the machine does burdens both alike, and reports how many times the
// reference's time the other takes: the median of the turns.
func Ratio(b *testing.B, reference, other http.Handler, request *http.Request) {
	b.Helper()
	const turn = 500
	w := NewNowhere()
	took := func(h http.Handler) float64 {
		start := time.Now()
		for range turn {
			clear(w.header)
			h.ServeHTTP(w, request)
		}
		return float64(time.Since(start))
	}
	var ratios []float64
	for range max(b.N/turn, 1) {
		by := took(reference)
		ratios = append(ratios, took(other)/by)
	}
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "x-reference")
	b.ReportMetric(0, "ns/op")
}
