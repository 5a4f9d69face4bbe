package bulk

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/scopes"
)

// Format is how a file says what to import.
type Format string

// Formats.
const (
	CSV       Format = "csv"   // RFC 4180, the first line names the columns
	JSONLines Format = "jsonl" // one JSON object a line
)

const maxLine = 64 << 10

// lines yields what stands in the file, with its number. An error belongs to the
// line; with the number 0 it is about the file, and the last.
func (f Format) lines(r io.Reader) iter.Seq2[int, parsed] {
	if f == CSV {
		return csvLines(r)
	}
	return jsonLines(r)
}

type parsed struct {
	line line
	err  error
}

func jsonLines(r io.Reader) iter.Seq2[int, parsed] {
	return func(yield func(int, parsed) bool) {
		scanner := bufio.NewScanner(r)
		scanner.Buffer(nil, maxLine)
		number := 0
		for scanner.Scan() {
			number++
			text := bytes.TrimSpace(scanner.Bytes())
			if len(text) == 0 {
				continue
			}
			var p parsed
			decoder := json.NewDecoder(bytes.NewReader(text))
			decoder.DisallowUnknownFields()
			if err := decoder.Decode(&p.line); err != nil {
				p.err = jsonMistake(err)
			} else if _, more := decoder.Token(); !errors.Is(more, io.EOF) {
				p.err = errors.New("more than one object on the line")
			}
			if !yield(number, p) {
				return
			}
		}
		if err := scanner.Err(); err != nil {
			yield(0, parsed{err: fmt.Errorf("after line %d: %w", number, err)})
		}
	}
}

// jsonMistake leaves the text out, and names the member at most.
func jsonMistake(err error) error {
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrong):
		return fmt.Errorf("%s: want %s, not %s", wrong.Field, wrong.Type, wrong.Value)
	case strings.HasPrefix(err.Error(), "json: unknown field "):
		return errors.New("a member that is none of those known")
	}
	return errors.New("not a JSON object")
}

func csvLines(r io.Reader) iter.Seq2[int, parsed] {
	return func(yield func(int, parsed) bool) {
		reader := csv.NewReader(r)
		reader.ReuseRecord = true
		header, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return
		}
		var set []func(*line, string)
		if err == nil {
			set, err = columns(header)
		}
		for err == nil {
			var fields []string
			fields, err = reader.Read()
			var number int
			var p parsed
			switch syntax := (*csv.ParseError)(nil); {
			case err == nil:
				number, _ = reader.FieldPos(0)
				for i := range set {
					set[i](&p.line, strings.Clone(fields[i])) // all are cut from one text, the key's too
				}
			case errors.Is(err, io.EOF):
				return
			case errors.Is(err, csv.ErrFieldCount) && errors.As(err, &syntax):
				number, p.err = syntax.StartLine, fmt.Errorf("%d columns, where the first line names %d", len(fields), len(set))
				err = nil
			default:
				continue
			}
			if !yield(number, p) {
				return
			}
		}
		yield(0, parsed{err: err})
	}
}

// columns says where each column goes.
func columns(names []string) (set []func(*line, string), err error) {
	known := map[string]func(*line, string){
		"key":        func(l *line, v string) { l.Key = v },
		"sha256":     func(l *line, v string) { l.SHA256 = v },
		"kind":       func(l *line, v string) { l.Kind = keystore.Kind(v) },
		"id":         func(l *line, v string) { l.ID = v },
		"hash":       func(l *line, v string) { l.Hash = v },
		"owner":      func(l *line, v string) { l.Owner = v },
		"name":       func(l *line, v string) { l.Name = v },
		"type":       func(l *line, v string) { l.Type = v },
		"env":        func(l *line, v string) { l.Env = keystore.Env(v) },
		"not_before": func(l *line, v string) { l.NotBefore = v },
		"expires":    func(l *line, v string) { l.Expires = v },
		"scopes": func(l *line, v string) {
			for scope := range strings.FieldsSeq(v) {
				l.Scopes = append(l.Scopes, scopes.Scope(scope))
			}
		},
	}
	var seen []string
	for i, name := range names {
		if i == 0 {
			name = strings.TrimPrefix(name, "\ufeff") // as Excel begins a file
		}
		name = strings.Clone(name)
		assign, ok := known[name]
		if meta, found := strings.CutPrefix(name, "meta."); found && meta != "" {
			assign, ok = func(l *line, v string) {
				if v == "" {
					return
				}
				if l.Meta == nil {
					l.Meta = map[string]string{}
				}
				l.Meta[meta] = v
			}, true
		}
		// Not quoted: without a header the first line is a key.
		if !ok {
			return nil, fmt.Errorf("column %d of the first line is no column that is known: want key or sha256, owner, …", i+1)
		}
		if slices.Contains(seen, name) {
			return nil, fmt.Errorf("column %d of the first line is there twice", i+1)
		}
		set, seen = append(set, assign), append(seen, name)
	}
	return set, nil
}
