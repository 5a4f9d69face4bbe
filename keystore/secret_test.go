package keystore_test

import (
	"bytes"
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"text/template"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
)

const canary = "canary-of-32-bytes-that-is-buried" // or of 33, cut to what is wanted

// canaries are the forms in which a secret could show.
func canaries(t *testing.T, secrets ...string) []string {
	t.Helper()
	var forms []string
	for _, secret := range secrets {
		decimal := fmt.Sprintf("%d", []byte(secret))
		forms = append(forms, secret, strings.Trim(decimal, "[]"), strings.ReplaceAll(strings.Trim(decimal, "[]"), " ", ","),
			hex.EncodeToString([]byte(secret)), fmt.Sprintf("% x", secret), fmt.Sprintf("%#v", []byte(secret))[len("[]byte{"):50],
			strings.Trim(fmt.Sprintf("%o", []byte(secret)), "[]"), strings.Trim(fmt.Sprintf("%b", []byte(secret)), "[]"),
			strings.Trim(fmt.Sprintf("%U", []byte(secret)), "[]"), base64.RawStdEncoding.EncodeToString([]byte(secret)),
			base64.RawURLEncoding.EncodeToString([]byte(secret)))
	}
	return forms
}

func requireSilent(t *testing.T, forms []string, out, how string) {
	t.Helper()
	out = strings.ToLower(out)
	for _, form := range forms {
		require.NotContains(t, out, strings.ToLower(form), how)
	}
}

// verbs are all formatting verbs, and one that is none, with all flags.
func verbs() []string {
	var all []string
	for _, verb := range "vTtbcdoOqxXUeEfFgGspwy" {
		for _, flags := range []string{"", "+", "#", "+#", " ", "0", "-", "20", "-20", ".3", "# 20.5", "[1]"} {
			all = append(all, "%"+flags+string(verb))
		}
	}
	return all
}

type (
	holder       struct{ S keystore.Secret }
	hidingHolder struct{ s keystore.Secret }
	ringHolder   struct {
		R keystore.Ring
		r keystore.Ring
		p *keystore.Ring
	}
	configHolder struct {
		C keystore.Config
		c keystore.Config
		p *keystore.Config
	}
)

func TestT127_SecretsDoNotPrint(t *testing.T) {
	t.Parallel()
	text := canary[:32]
	encoded := base64.StdEncoding.EncodeToString([]byte(text))
	secret := keystore.NewSecret(text)
	ring, err := keystore.ParseRing("2026:" + encoded)
	require.NoError(t, err)
	config := keystore.Config{Ring: ring, TagSecret: keystore.NewSecret(encoded), CacheEntries: 64}
	keys := openPatient(t, newStub(), config)
	issued, err := keys.Issue(t.Context(), spec)
	require.NoError(t, err)
	principal := requireAccepted(t, keys, issued.Credential.Reveal())
	derived, err := hkdf.Key(sha256.New, []byte(text), nil, "claviger v1 hash", sha256.Size)
	require.NoError(t, err)
	credentialText := issued.Credential.Reveal()
	forms := canaries(t, text, encoded, string(derived), credentialText, credentialText[len(credentialText)-49:len(credentialText)-6])

	for _, row := range []struct {
		desc   string
		value  any
		itself bool // prints as [redacted] and nothing else
	}{
		{"secret", secret, true},
		{"pointer to secret", &secret, true},
		{"ring", ring, true},
		{"pointer to ring", &ring, true},
		{"zero secret", keystore.Secret{}, true},
		{"zero ring", keystore.Ring{}, true},
		{"struct", holder{secret}, false},
		{"unexported field", hidingHolder{secret}, false},
		{"pointer to unexported field", &hidingHolder{secret}, false},
		{"slice", []keystore.Secret{secret}, false},
		{"slice of pointers", []*keystore.Secret{&secret}, false},
		{"array", [1]keystore.Secret{secret}, false},
		{"map", map[string]keystore.Secret{"a": secret}, false},
		{"map of any", map[string]any{"a": hidingHolder{secret}}, false},
		{"any of struct", []any{holder{secret}, &hidingHolder{secret}}, false},
		{"ring in fields", ringHolder{ring, ring, &ring}, false},
		{"pointer to ring in fields", &ringHolder{ring, ring, &ring}, false},
		{"config", config, false},
		{"pointer to config", &config, false},
		{"config in fields", configHolder{config, config, &config}, false},
		{"issued", issued, false},
		{"keys", keys, false},
		{"keys in a struct", struct{ k *keystore.Keys }{keys}, false},
		{"principal", principal, false},
		{"error", fmt.Errorf("with %v and %w", secret, errors.New("cause")), false},
	} {
		t.Run(row.desc, func(t *testing.T) {
			t.Parallel()
			for _, verb := range verbs() {
				out := fmt.Sprintf(verb, row.value)
				requireSilent(t, forms, out, verb)
				if row.itself && !strings.ContainsAny(verb, "Tpw") { // fmt asks no method for these
					require.Equal(t, "[redacted]", out, verb)
				}
			}
			for name, encode := range encoders {
				out, err := encode(row.value)
				requireSilent(t, forms, out, name)
				if err != nil {
					requireSilent(t, forms, err.Error(), name)
				}
				if row.itself {
					require.NoError(t, err, name)
					require.Contains(t, out, "[redacted]", name)
				}
			}
		})
	}
}

var encoders = map[string]func(any) (string, error){
	"print":   func(v any) (string, error) { return fmt.Sprint(v) + fmt.Sprintln(v), nil },
	"json":    func(v any) (string, error) { out, err := json.Marshal(v); return string(out), err },
	"in json": func(v any) (string, error) { out, err := json.Marshal(map[string]any{"v": v}); return string(out), err },
	"xml":     func(v any) (string, error) { out, err := xml.Marshal(v); return string(out), err },
	"gob": func(v any) (string, error) {
		var out bytes.Buffer
		err := gob.NewEncoder(&out).Encode(v)
		return out.String(), err
	},
	"slog text": func(v any) (string, error) {
		var out bytes.Buffer
		slog.New(slog.NewTextHandler(&out, nil)).InfoContext(context.Background(), "m", "v", v, slog.Group("g", "v", v))
		return out.String(), nil
	},
	"slog json": func(v any) (string, error) {
		var out bytes.Buffer
		slog.New(slog.NewJSONHandler(&out, nil)).InfoContext(context.Background(), "m", "v", v, slog.Group("g", "v", v))
		return out.String(), nil
	},
	"template": func(v any) (string, error) {
		var out bytes.Buffer
		err := template.Must(template.New("t").Parse("{{.}} {{print .}} {{printf \"%q\" .}}")).Execute(&out, v)
		return out.String(), err
	},
	"failed test": func(v any) (string, error) {
		out := &failedTest{text: "[redacted] or not: "}
		assert.Nil(out, v)
		assert.Empty(out, []any{v})
		assert.Equal(out, "text", v)
		return out.text, nil
	},
}

// failedTest collects what testify says, its dump of whole structures included.
type failedTest struct{ text string }

func (f *failedTest) Errorf(format string, args ...any) { f.text += fmt.Sprintf(format, args...) }

// testify compares two of a kind by a dump that follows pointers, and calls no methods.
func TestT127_ReflectiveDump(t *testing.T) {
	t.Parallel()
	texts := []string{canary[:32], canary[1:]}
	var keys [2]*keystore.Keys
	var rings [2]keystore.Ring
	for i, text := range texts {
		encoded := base64.StdEncoding.EncodeToString([]byte(text))
		ring, err := keystore.ParseRing("2026:" + encoded)
		require.NoError(t, err)
		rings[i] = ring
		keys[i] = openPatient(t, newStub(), keystore.Config{Ring: ring, TagSecret: keystore.NewSecret(encoded), CacheEntries: 64})
		_, credential := issue(t, keys[i], spec)
		requireAccepted(t, keys[i], credential)
		texts = append(texts, credential[len(credential)-49:]) // what stands before it is public
		derived, err := hkdf.Key(sha256.New, []byte(text), nil, "claviger v1 hash", sha256.Size)
		require.NoError(t, err)
		texts = append(texts, string(derived), encoded)
	}
	forms := canaries(t, texts...)
	for i := range texts { // a dump shows bytes as |…| with 16 of them in a line
		forms = append(forms, texts[i][:16], fmt.Sprintf("% x", texts[i][:8]))
	}
	out := &failedTest{}
	assert.Equal(out, keys[0], keys[1])
	assert.Equal(out, rings[0], rings[1])
	assert.Equal(out, keystore.NewSecret(texts[0]), keystore.NewSecret(texts[1]))
	require.Contains(t, out.text, "Diff:")
	requireSilent(t, forms, out.text, "dump")
}

func TestSecret(t *testing.T) {
	t.Parallel()
	require.Equal(t, "x", keystore.NewSecret("x").Reveal())
	require.Empty(t, keystore.NewSecret("").Reveal())
	require.Empty(t, keystore.Secret{}.Reveal())
	require.Equal(t, "[redacted]", keystore.NewSecret("x").String())
	require.Equal(t, "[redacted]", keystore.Ring{}.String())
	one, other := keystore.GenerateSecret().Reveal(), keystore.GenerateSecret().Reveal()
	require.NotEqual(t, one, other)
	raw, err := base64.RawURLEncoding.DecodeString(one)
	require.NoError(t, err)
	require.Len(t, raw, 32)
}

// T-127: what is wrong with a configuration does not tell the secret in it.
func TestT127_ConfigErrorsDoNotTell(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{
		canary[:24], canary[:32], canary + "!", hex.EncodeToString([]byte(canary[:16])), base64.StdEncoding.EncodeToString([]byte(canary[:31])),
	} {
		_, err := keystore.New(newStub(), keystore.Config{TagSecret: keystore.NewSecret(secret)})
		var mistake *keystore.ConfigError
		require.ErrorAs(t, err, &mistake)
		require.Equal(t, "keystore: Config.TagSecret", mistake.Field)
		for _, verb := range verbs() {
			requireSilent(t, canaries(t, secret), fmt.Sprintf(verb, err)+fmt.Sprintf(verb, mistake), verb)
		}
	}
}
