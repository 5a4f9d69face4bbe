package strictjson

import (
	"errors"
	"strings"
)

// ErrInvalid: not JSON, not JSON that everybody reads alike, or not the value asked
// for. It says nothing of the text, which may be secret.
var ErrInvalid = errors.New("not strict JSON")

// Value is the text of a value that was read. The empty one is no value.
type Value string

// Object reads an object, and shows its members to visit in their order, names
// unescaped. What visit has learned is void if Object answers an error.
func Object(text string, visit func(name string, value Value)) error {
	s := scanner{text: text}
	s.space()
	s.object(visit)
	if !s.ended() {
		return ErrInvalid
	}
	return nil
}

// Array reads an array of at most 128 elements.
func (v Value) Array() ([]Value, error) {
	var values []Value
	s := scanner{text: string(v)}
	s.array(func(value Value) {
		if values = append(values, value); len(values) > maxMembers {
			s.fail()
		}
	})
	if !s.ended() {
		return nil, ErrInvalid
	}
	return values, nil
}

// Text reads a string that says something, and has no control characters: no name
// needs them, and stores and logs suffer from them.
func (v Value) Text() (string, error) {
	if len(v) < 2 || v[0] != '"' {
		return "", ErrInvalid
	}
	text := string(v[1 : len(v)-1])
	if strings.IndexByte(text, '\\') >= 0 {
		text = unescape(string(v))
	}
	if text == "" || hasControl(text) {
		return "", ErrInvalid
	}
	return text, nil
}

// Texts reads an array of such strings.
func (v Value) Texts() ([]string, error) {
	values, err := v.Array()
	if err != nil {
		return nil, err
	}
	texts := make([]string, len(values))
	for i, value := range values {
		if texts[i], err = value.Text(); err != nil {
			return nil, err
		}
	}
	return texts, nil
}

// Valid reports whether text is one value, with nothing around it.
func Valid(text string) bool {
	s := scanner{text: text}
	value := s.value()
	return s.ended() && len(value) == len(text)
}

func hasControl(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] == 0x7F {
			return true
		}
	}
	return false
}
