package strictjson

import (
	"strings"
	"unicode/utf8"
)

const maxDepth = 32

// scanner reads a text from the left. After the first fault it is failed, and
// stands at the end of the text, so that every loop stops.
type scanner struct {
	text   string
	at     int
	depth  int
	failed bool
}

func (s *scanner) fail() { s.failed, s.at = true, len(s.text) }

// ended reports whether all was read, and all was well.
func (s *scanner) ended() bool {
	s.space()
	return !s.failed && s.at == len(s.text) && utf8.ValidString(s.text)
}

// next is the byte that the scanner stands at; 0 at the end, which begins nothing,
// as a NUL does not.
func (s *scanner) next() byte {
	if s.at == len(s.text) {
		return 0
	}
	return s.text[s.at]
}

func (s *scanner) accept(c byte) bool {
	if s.next() != c {
		return false
	}
	s.at++
	return true
}

func (s *scanner) expect(c byte) {
	if !s.accept(c) {
		s.fail()
	}
}

func (s *scanner) space() {
	for s.at < len(s.text) && s.text[s.at] <= ' ' && isSpace(s.text[s.at]) {
		s.at++
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// value reads one value.
func (s *scanner) value() Value {
	begin := s.at
	switch c := s.next(); {
	case c == '"':
		s.quoted()
	case c == '{':
		s.object(func(string, Value) {})
	case c == '[':
		s.array(func(Value) {})
	case c == '-' || isDigit(c):
		s.number()
	default:
		s.literal()
	}
	return Value(s.text[begin:s.at])
}

// object reads an object, and shows each member to visit as soon as it is read.
func (s *scanner) object(visit func(name string, value Value)) {
	var seen names
	s.enter('{')
	for more := !s.accept('}'); more; more = s.more('}') {
		name := s.name()
		s.space()
		s.expect(':')
		s.space()
		value := s.value()
		if !seen.add(name) {
			s.fail()
		}
		if s.failed {
			return
		}
		visit(name, value)
	}
	s.depth--
}

func (s *scanner) array(visit func(value Value)) {
	s.enter('[')
	for more := !s.accept(']'); more; more = s.more(']') {
		value := s.value()
		if s.failed {
			return
		}
		visit(value)
	}
	s.depth--
}

func (s *scanner) enter(bracket byte) {
	if s.depth++; s.depth > maxDepth {
		s.fail()
	}
	s.expect(bracket)
	s.space()
}

// more reads what follows a member or an element: false after the last one.
func (s *scanner) more(bracket byte) bool {
	s.space()
	if s.accept(bracket) {
		return false
	}
	s.expect(',')
	s.space()
	return !s.failed
}

func (s *scanner) literal() {
	for _, word := range []string{"true", "false", "null"} {
		if strings.HasPrefix(s.text[s.at:], word) {
			s.at += len(word)
			return
		}
	}
	s.fail()
}

// number reads RFC 8259 §6: no leading zero, digits on both sides of the point.
func (s *scanner) number() {
	s.accept('-')
	if !s.accept('0') {
		s.digits()
	}
	if s.accept('.') {
		s.digits()
	}
	if s.accept('e') || s.accept('E') {
		if !s.accept('+') {
			s.accept('-')
		}
		s.digits()
	}
}

func (s *scanner) digits() {
	begin := s.at
	for isDigit(s.next()) {
		s.at++
	}
	if s.at == begin {
		s.fail()
	}
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
