package middleware_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/middleware"
	"github.com/claviger-go/claviger/middleware/authtest"
	"github.com/claviger-go/claviger/scopes"
)

// logged is what both handlers of slog make of a decision.
func logged(t *testing.T, d middleware.Decision) (text, asJSON string) {
	t.Helper()
	untimed := &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}
	var plain, structured bytes.Buffer
	slog.New(slog.NewTextHandler(&plain, untimed)).Info("decided", "auth", d)
	slog.New(slog.NewJSONHandler(&structured, untimed)).Info("decided", "auth", d)
	require.True(t, json.Valid(structured.Bytes()))
	return plain.String(), structured.String()
}

func TestDecision_LogValue(t *testing.T) {
	t.Parallel()
	asked, err := scopes.AllOf("claims:read", "claims:write")
	require.NoError(t, err)
	at := time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)
	text, asJSON := logged(t, middleware.Decision{
		Time: at, Outcome: keystore.OutcomeScopeMissing, Status: http.StatusForbidden, KeyID: "7Gk2mXw9QaTz", Kind: keystore.KindAPIKey,
		Owner: "acme", Session: "s1", Source: "X-Api-Key", Remote: netip.MustParseAddr("192.0.2.7"), Method: "POST",
		Pattern: "POST /claims", Asked: asked, Missing: []scopes.Scope{"claims:write"}, Err: errors.New("no route to host"),
	})
	require.Equal(t, `level=INFO msg=decided auth.time=2026-02-03T04:05:06.000Z auth.outcome=scope-missing auth.method=POST `+
		`auth.status=403 auth.key_id=7Gk2mXw9QaTz auth.kind=api_key auth.owner=acme auth.session=s1 auth.source=X-Api-Key `+
		`auth.remote=192.0.2.7 auth.pattern="POST /claims" auth.asked="claims:read claims:write" auth.missing=[claims:write] `+
		`auth.err="no route to host"`+"\n", text)
	require.JSONEq(t, `{"level":"INFO","msg":"decided","auth":{"time":"2026-02-03T04:05:06Z","outcome":"scope-missing","method":"POST",
		"status":403,"key_id":"7Gk2mXw9QaTz","kind":"api_key","owner":"acme","session":"s1","source":"X-Api-Key","remote":"192.0.2.7",
		"pattern":"POST /claims","asked":"claims:read claims:write","missing":["claims:write"],"err":"no route to host"}}`, asJSON)

	text, _ = logged(t, middleware.Decision{Time: at, Outcome: keystore.OutcomeAccepted, Method: "GET"})
	require.Equal(t, "level=INFO msg=decided auth.time=2026-02-03T04:05:06.000Z auth.outcome=accepted auth.method=GET\n", text)
}

// T-128: one decision is one line, escaped and cut, whatever a foreign verifier
// or a store puts into it.
func TestDecision_T128_Hostile(t *testing.T) {
	t.Parallel()
	for _, hostile := range []string{
		"a\nlevel=INFO msg=forged", "a\r\nb", "\x1b[31mred\x1b[0m", "a\x00b", "\u202egnp.exe", "\u2028x", `a" b="c`, "\xff\xfe",
		strings.Repeat("a", 1<<20), strings.Repeat("ä", 1<<19), strings.Repeat("\n", 1<<20),
	} {
		text, asJSON := logged(t, middleware.Decision{
			Outcome: keystore.Outcome(hostile), KeyID: hostile, Kind: keystore.Kind(hostile), Owner: hostile, Session: hostile,
			Source: hostile, Method: hostile, Pattern: hostile, Missing: []scopes.Scope{scopes.Scope(hostile)}, Err: errors.New(hostile),
		})
		for _, line := range []string{text, asJSON} {
			require.Equal(t, 1, strings.Count(line, "\n"), "%.100q", hostile)
			require.NotContains(t, line, "\x1b")
			require.NotContains(t, line, "\x00")
			require.NotContains(t, line, "\r")
			require.NotContains(t, line, `b="c`)
			require.Less(t, len(line), 64<<10, "%.100q", hostile)
		}
	}
}

// The method is the client's own text, and cut.
func TestDecision_Method(t *testing.T) {
	t.Parallel()
	var told middleware.Decision
	auth := newAuth(t, authtest.NewKeys(t, keystore.Config{}), middleware.Config{
		OnDecision: func(_ context.Context, d middleware.Decision) { told = d },
	})
	ask(auth.Authenticate, authtest.NewRequest(strings.Repeat("X", 1<<10), "/", nil, keystore.Secret{}))
	require.Equal(t, strings.Repeat("X", 32), told.Method)
}
