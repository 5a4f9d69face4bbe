package keystore

import (
	"fmt"
	"log/slog"
)

// Secret is a text that must not be printed: it shows as [redacted] under every
// formatting verb and in every encoding. The zero value is the empty text.
type Secret struct {
	concealed
	// A closure, because fmt and reflection follow fields and pointers.
	reveal func() string
}

// NewSecret wraps text.
func NewSecret(text string) Secret {
	return Secret{reveal: func() string { return text }}
}

// Reveal returns the text itself.
func (s Secret) Reveal() string {
	if s.reveal == nil {
		return ""
	}
	return s.reveal()
}

const redacted = "[redacted]"

// concealed, embedded, has a type print as [redacted].
type concealed struct{}

// Format implements [fmt.Formatter].
func (concealed) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// String implements [fmt.Stringer].
func (concealed) String() string { return redacted }

// LogValue implements [slog.LogValuer].
func (concealed) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements [encoding.TextMarshaler], and with it JSON and XML.
func (concealed) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalBinary implements [encoding.BinaryMarshaler], and with it gob.
func (concealed) MarshalBinary() ([]byte, error) { return []byte(redacted), nil }
