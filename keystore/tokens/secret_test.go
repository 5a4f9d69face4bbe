package tokens_test

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/keystore/tokens"
)

// dump is the place as a thief has it.
func (s *place) dump(t testing.TB) string {
	t.Helper()
	page, err := s.memory.List(t.Context(), keystore.Filter{Limit: keystore.MaxPage})
	require.NoError(t, err)
	require.Empty(t, page.Next)
	data, err := json.Marshal(page.Records)
	require.NoError(t, err)
	return string(data)
}

// T-084: the whole store without the ring yields no usable token, nor any part of one that would help; and whoever runs
// this very package on it, under a ring of his own, makes none either.
func TestT084_StolenStore(t *testing.T) {
	t.Parallel()
	for name, config := range formats() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := alone(t, config)
			credential := p.issue(spec)
			sessionID := "a session id that is a client's own secret"
			token := p.login(p.principal(credential), tokens.Request{SessionID: sessionID})
			text := token.Text.Reveal()
			p.requireAccepted(token)
			stolen := p.store.dump(t)
			tail := text[len(text)-40:]
			for _, secret := range []string{text, tail, text[len(text)-80 : len(text)-40], sessionID, credential.Reveal()} {
				require.NotContains(t, stolen, secret)
			}
			if !config.Opaque {
				_, claims := decoded(t, text)
				require.NotContains(t, stolen, strings.TrimPrefix(claims["jti"].(string), "1."))
			}

			pieces := []string{stolen}
			for _, cut := range []string{`[^"]+`, `[0-9A-Za-z]+`, `[0-9A-Za-z+/=]+`, `\{[^{}]+\}`} {
				pieces = append(pieces, regexp.MustCompile(cut).FindAllString(stolen, -1)...)
			}
			public := text[:len(text)-40] // what a log may have kept of it
			for _, piece := range pieces {
				for _, presented := range []string{piece, public + piece, public[:len(public)-len(tail)] + piece, "at_live_" + piece} {
					p.requireNoToken(presented)
				}
			}
			for _, letter := range []string{"x", "2026"[:1]} {
				thief := config
				thief.Ring = ring(t, "named-2026-"+letter)
				theirs := start(t, p.store, p.clock, thief)
				made := theirs.login(theirs.principal(credential), tokens.Request{SessionID: sessionID})
				theirs.requireAccepted(made)
				_, err := p.Verify(t.Context(), made.Text.Reveal())
				require.Error(t, err)
			}
		})
	}
}

// canaries are a ring secret, and all that is derived from it, in the forms in which they could be printed.
func canaries(t *testing.T, texts ...string) (forms []string) {
	t.Helper()
	for _, text := range texts {
		decimal := strings.Trim(fmt.Sprintf("%d", []byte(text)), "[]")
		goSyntax := strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", []byte(text)), "[]byte{"), "}")
		forms = append(forms, text, hex.EncodeToString([]byte(text)), strings.ToUpper(hex.EncodeToString([]byte(text))),
			base64.StdEncoding.EncodeToString([]byte(text)), base64.RawURLEncoding.EncodeToString([]byte(text)), decimal, goSyntax)
	}
	return forms
}

// failedTest collects what testify says, its dump of whole structures included.
type failedTest struct{ text string }

func (f *failedTest) Errorf(format string, args ...any) { f.text += fmt.Sprintf(format, args...) }

// T-127: nothing that prints a token, its maker or its configuration, in whatever way, meets a secret.
func TestT127_NothingIsPrinted(t *testing.T) {
	t.Parallel()
	secret := strings.Repeat("canary-", 5)[:32]
	parsed, err := keystore.ParseRing("2026:" + base64.StdEncoding.EncodeToString([]byte(secret)))
	require.NoError(t, err)
	private := edKey("c")
	texts := []string{secret, string(private.Seed())}
	for _, purpose := range []string{"tag", "opaque", "HS256"} {
		key, err := hkdf.Key(sha256.New, []byte(secret), nil, "claviger v1 for tokens "+purpose, 32)
		require.NoError(t, err)
		derived, err := parsed.Derive("tokens " + purpose)
		require.NoError(t, err)
		require.Equal(t, string(key), derived[0].Key.Reveal())
		texts = append(texts, string(key))
	}
	values := map[string]any{"ring": parsed}
	for name, config := range map[string]tokens.Config{
		"HS256": {Ring: parsed, CacheEntries: 64}, "opaque": {Ring: parsed, Opaque: true, CacheEntries: 64},
		"EdDSA": {Ring: parsed, SigningKeys: []tokens.SigningKey{signingKey("k", private)}, CacheEntries: 64},
	} {
		p := alone(t, config)
		token := p.login(p.key(spec), tokens.Request{SessionID: "canary of a session id"})
		who := p.requireAccepted(token)
		text := token.Text.Reveal()
		texts = append(texts, text, text[len(text)-43:], "canary of a session id")
		values[name+" config"], values[name+" token"], values[name+" tokens"], values[name+" principal"] = config, token, p.Tokens, who
		values[name+" key"] = config.SigningKeys
		_, err := p.Verify(t.Context(), text[:len(text)-1])
		values[name+" error"] = err
	}
	forms := canaries(t, texts...)
	for desc, value := range values {
		var out bytes.Buffer
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "%p"} {
			_, _ = fmt.Fprintf(&out, verb, value)
		}
		encoded, err := json.Marshal(value)
		out.Write(encoded)
		_, _ = fmt.Fprint(&out, err)
		slog.New(slog.NewJSONHandler(&out, nil)).InfoContext(t.Context(), "m", "v", value)
		slog.New(slog.NewTextHandler(&out, nil)).InfoContext(t.Context(), "m", "v", value)
		failed := &failedTest{}
		assert.Nil(failed, value)
		assert.Equal(failed, "text", value)
		printed := out.String() + failed.text
		for _, form := range forms {
			require.NotContains(t, printed, form, desc)
		}
	}
}

// VC2, T-135: after a request nothing that is enough for another stays in memory. The test itself keeps it backwards.
func TestVC2_T135_NoTokenStaysInMemory(t *testing.T) {
	all := map[string]*process{}
	for name, config := range formats() {
		all[name] = alone(t, config)
	}
	backwards := map[string]string{}
	done := make(chan error)
	go func() { // on a stack of its own, which goes with it
		done <- func() error {
			for name, p := range all {
				who, err := p.keys.Issue(t.Context(), spec)
				if err != nil {
					return err
				}
				principal, err := p.keys.Verify(t.Context(), who.Credential.Reveal())
				if err != nil {
					return err
				}
				token, err := p.Exchange(t.Context(), principal, tokens.Request{})
				if err != nil {
					return err
				}
				text := token.Text.Reveal()
				wrong := text[:len(text)-30] + strings.Repeat("A", 15) + text[len(text)-15:]
				for range 2 {
					_, good := p.Verify(t.Context(), text)
					_, bad := p.Verify(t.Context(), wrong)
					if good != nil || bad == nil {
						return errors.Join(errors.New(name), good, bad)
					}
				}
				backwards[name] = reversed(text[len(text)-30:])
				backwards[name+", wrong"] = reversed(wrong[len(wrong)-30:])
			}
			return nil
		}()
	}()
	require.NoError(t, <-done)
	kept := strings.Repeat("what is in memory is found ", 2)
	backwards["control"] = reversed(kept)
	for range 3 {
		runtime.GC()
	}
	file, err := os.Create(filepath.Join(t.TempDir(), "heap"))
	require.NoError(t, err)
	debug.WriteHeapDump(file.Fd())
	require.NoError(t, file.Close())
	heap, err := os.ReadFile(file.Name())
	require.NoError(t, err)
	for desc, text := range backwards {
		require.Equal(t, desc == "control", bytes.Contains(heap, []byte(reversed(text))), desc)
	}
	runtime.KeepAlive(kept)
	runtime.KeepAlive(all)
}

func reversed(s string) string {
	b := []byte(s)
	slices.Reverse(b)
	return string(b)
}

// T-029: no two tokens are alike, and no hex digit of what is derived is more frequent than others.
func TestT029_Tokens(t *testing.T) {
	t.Parallel()
	p := alone(t, tokens.Config{Opaque: true, MaxSessions: -1})
	who := p.key(spec)
	const n = 2000
	seen := map[string]bool{}
	var counts [80][16]float64
	for i := range n {
		text := p.login(who, tokens.Request{SessionID: fmt.Sprint(i)}).Text.Reveal()
		digits := text[len(text)-80:]
		require.False(t, seen[digits[:40]] || seen[digits[40:]])
		seen[digits[:40]], seen[digits[40:]] = true, true
		for at := range digits {
			counts[at][strings.IndexByte("0123456789abcdef", digits[at])]++
		}
	}
	for at, count := range counts {
		chi := 0.0
		for _, c := range count {
			chi += (c - n/16.0) * (c - n/16.0) / (n / 16.0)
		}
		require.Less(t, chi, 60.0, "digit %d; 15 degrees of freedom: once in two million", at)
	}

	// Two sessions that are otherwise the same, one begun after the other was deleted, have nothing in common.
	first := p.login(who, tokens.Request{SessionID: "again"})
	require.NoError(t, p.keys.Delete(t.Context(), first.Session))
	second := p.login(who, tokens.Request{SessionID: "again"})
	require.Equal(t, first.Expires, second.Expires)
	require.NotEqual(t, first.Text.Reveal()[len(first.Text.Reveal())-80:], second.Text.Reveal()[len(second.Text.Reveal())-80:])
	p.clock.move(2 * time.Second)
	p.requireRefused(first, keystore.OutcomeWrongSecret)
}
