// Package goose reads migrations in the format of github.com/pressly/goose, by that tool's rules, as far as
// Claviger's own files use them.
package goose

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Migration is one file: the statements that make a version of the schema, and those that take it back.
type Migration struct {
	Version  int64
	Up, Down []string
}

// Load reads all files of a folder, the oldest version first.
func Load(folder fs.FS) ([]Migration, error) {
	names, err := fs.Glob(folder, "*.sql")
	if err != nil {
		return nil, err
	}
	var all []Migration
	for _, name := range names {
		text, err := fs.ReadFile(folder, name)
		if err != nil {
			return nil, err
		}
		m, err := parse(name, string(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b Migration) int { return cmp.Compare(a.Version, b.Version) })
	for i := 1; i < len(all); i++ {
		if all[i].Version == all[i-1].Version {
			return nil, fmt.Errorf("version %d comes twice", all[i].Version)
		}
	}
	return all, nil
}

func parse(name, text string) (Migration, error) {
	number, _, _ := strings.Cut(path.Base(name), "_")
	version, err := strconv.ParseInt(number, 10, 64)
	if err != nil || version < 1 {
		return Migration{}, errors.New("want a name such as 00001_records.sql")
	}
	p := parser{into: map[string][]string{}}
	for line := range strings.Lines(text) {
		if err := p.line(strings.TrimRight(line, "\r\n")); err != nil {
			return Migration{}, err
		}
	}
	switch {
	case p.direction == "":
		return Migration{}, errors.New("no annotation +goose Up")
	case p.whole:
		return Migration{}, errors.New("no annotation +goose StatementEnd")
	case p.statement.Len() > 0:
		return Migration{}, errors.New("the last statement has no semicolon")
	}
	return Migration{version, p.into["Up"], p.into["Down"]}, nil
}

type parser struct {
	direction string // Up or Down; empty before the first annotation
	whole     bool   // between StatementBegin and StatementEnd, where a semicolon ends nothing
	statement strings.Builder
	into      map[string][]string
}

func (p *parser) line(line string) error {
	trimmed := strings.TrimSpace(line)
	switch {
	case strings.HasPrefix(trimmed, "--") && strings.Contains(line, "+goose"):
		return p.annotation(line)
	case p.statement.Len() == 0 && (trimmed == "" || strings.HasPrefix(trimmed, "--")):
		return nil // comments count only inside of a statement
	case p.direction == "":
		return errors.New("a statement before the annotation +goose Up")
	}
	p.statement.WriteString(line + "\n")
	if !p.whole && endsStatement(line) {
		p.end()
	}
	return nil
}

func (p *parser) annotation(line string) error {
	command, ok := strings.CutPrefix(line, "-- +goose ")
	command = strings.TrimSpace(command)
	switch {
	case !ok:
		return fmt.Errorf("malformed annotation %q", line)
	case command == "Up" && p.direction == "",
		command == "Down" && p.direction == "Up" && !p.whole && p.statement.Len() == 0:
		p.direction = command
	case command == "StatementBegin" && p.direction != "" && !p.whole && p.statement.Len() == 0:
		p.whole = true
	case command == "StatementEnd" && p.whole:
		p.whole = false
		p.end()
	default:
		return fmt.Errorf("annotation %q is unknown or out of place", command)
	}
	return nil
}

func (p *parser) end() {
	p.into[p.direction] = append(p.into[p.direction], strings.TrimSpace(p.statement.String()))
	p.statement.Reset()
}

// endsStatement reports whether the last word before a comment ends with a semicolon.
func endsStatement(line string) bool {
	last := ""
	for word := range strings.FieldsSeq(line) {
		if strings.HasPrefix(word, "--") {
			break
		}
		last = word
	}
	return strings.HasSuffix(last, ";")
}
