package strictjson

import (
	"encoding/json"
	"strconv"
	"strings"
)

// name reads a string and returns what it says.
func (s *scanner) name() string {
	begin := s.at
	escaped := s.quoted()
	switch {
	case s.failed:
		return ""
	case escaped:
		return unescape(s.text[begin:s.at])
	default:
		return s.text[begin+1 : s.at-1]
	}
}

// unescape returns what a string says that was read.
func unescape(quoted string) string {
	var text string
	if json.Unmarshal([]byte(quoted), &text) != nil {
		return "" // cannot be; and nothing is what it then says
	}
	return text
}

// quoted reads a string, and reports whether it has escapes.
func (s *scanner) quoted() (escaped bool) {
	s.expect('"')
	for i := s.at; i < len(s.text); i++ {
		switch c := s.text[i]; {
		case c == '"':
			s.at = i + 1
			return escaped
		case c == '\\':
			escaped = true
			s.at = i + 1
			s.escape()
			i = s.at - 1
		case c < ' ':
			s.fail()
			return escaped
		}
	}
	s.fail()
	return escaped
}

// escape reads what follows a backslash.
func (s *scanner) escape() {
	switch c := s.next(); {
	case c == 'u':
		s.character()
	case c != 0 && strings.IndexByte(`"\/bfnrt`, c) >= 0:
		s.at++
	default:
		s.fail()
	}
}

// character reads a character by its code, which is two escapes for one that
// UTF-16 has as a pair of surrogates. A lone surrogate is no character.
func (s *scanner) character() {
	first := s.unit()
	if first < 0xD800 || first > 0xDFFF {
		return
	}
	s.expect('\\')
	if second := s.unit(); first > 0xDBFF || second < 0xDC00 || second > 0xDFFF {
		s.fail()
	}
}

// unit reads the u and the four digits of an escape.
func (s *scanner) unit() uint64 {
	s.expect('u')
	end := min(s.at+4, len(s.text))
	unit, err := strconv.ParseUint(s.text[s.at:end], 16, 16)
	if err != nil { // fewer than four digits end the text, and with it no string
		s.fail()
		return 0
	}
	s.at = end
	return unit
}
