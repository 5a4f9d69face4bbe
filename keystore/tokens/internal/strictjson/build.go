package strictjson

import (
	"fmt"
	"strings"
)

// Builder writes an object, its members in the order of the calls. encoding/json
// escapes more than it must, and may do otherwise in its next version: processes
// of one service would then make different tokens of one session.
//
// It does not look at what it writes; who signs it reads it back.
type Builder struct{ text []byte }

// Value writes a member whose value is JSON already.
func (b *Builder) Value(name, value string) {
	before := byte(',')
	if len(b.text) == 0 {
		before = '{'
	}
	b.text = append(append(b.text, before), quote(name)+":"+value...)
}

// Text writes a string; nothing if it is empty.
func (b *Builder) Text(name, text string) {
	if text != "" {
		b.Value(name, quote(text))
	}
}

// Texts writes an array of strings; nothing if there are none.
func (b *Builder) Texts(name string, texts []string) {
	if len(texts) == 0 {
		return
	}
	values := make([]string, len(texts))
	for i, text := range texts {
		values[i] = quote(text)
	}
	b.Value(name, "["+strings.Join(values, ",")+"]")
}

// String returns the object.
func (b *Builder) String() string {
	if len(b.text) == 0 {
		return "{}"
	}
	return string(b.text) + "}"
}

// quote escapes what RFC 8259 §7 wants escaped and nothing else.
func quote(text string) string {
	quoted := []byte{'"'}
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"' || c == '\\':
			quoted = append(quoted, '\\', c)
		case c < ' ':
			quoted = fmt.Appendf(quoted, `\u%04x`, c)
		default:
			quoted = append(quoted, c)
		}
	}
	return string(append(quoted, '"'))
}
