package filestore

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/claviger-go/claviger/keystore"
)

// currentFormat is that of the file; records have one of their own. A newer version of this package that a process of
// this one could misread writes a higher one, in the same place.
const currentFormat = 1

const schema = "filestore"

type sum [sha256.Size]byte

// The file is one JSON object: a line of header, a line for each record in order of age, and a line with the sum of all
// bytes before that line. A comma stands before what it separates, so that one more record changes no other's line.

func header(generation uint64) string {
	return fmt.Sprintf(`{"claviger":"%s","format":%d,"generation":%d,"records":[`+"\n", schema, currentFormat, generation)
}

func tail(s sum) string { return `],"sha256":"` + hex.EncodeToString(s[:]) + "\"}\n" }

func lineSize(e *entry) int64 { return int64(len(" \n") + len(e.line)) }

func (sn *snapshot) write(to io.Writer) error {
	hash := sha256.New()
	w := bufio.NewWriterSize(io.MultiWriter(hash, to), 1<<16)
	lead := " "
	// bufio remembers an error until Flush.
	_, _ = w.WriteString(header(sn.generation))
	for _, e := range sn.byAge {
		_, _ = w.WriteString(lead)
		_, _ = w.WriteString(e.line)
		_, _ = w.WriteString("\n")
		lead = ","
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := io.WriteString(to, tail(sum(hash.Sum(nil))))
	return err
}

// parse reads a whole file. Entries whose line has not changed are those of before, which may be nil: a change of one
// record among ten thousand is then read in a fiftieth of the time.
func parse(data []byte, before *snapshot) (*snapshot, error) {
	first, rest, whole := bytes.Cut(data, []byte("\n"))
	generation, err := parseHeader(first)
	switch {
	case len(data) == 0:
		return nil, errors.New("it is empty, and even a file without records is not")
	case errors.Is(err, keystore.ErrNewerFormat):
		return nil, err
	case err != nil || !whole || string(first)+"\n" != header(generation):
		return nil, errors.New("its first line is not the header of a filestore")
	}
	body := len(rest) - len(tail(sum{}))
	if body < 0 || string(rest[body:]) != tail(sha256.Sum256(data[:len(data)-len(rest)+body])) {
		return nil, errors.New("the checksum at its end is missing or does not match")
	}
	if before == nil {
		before = newSnapshot(0)
	}
	return parseRecords(rest[:body], newSnapshot(generation), before)
}

func parseHeader(line []byte) (generation uint64, err error) {
	var h struct {
		Claviger   string `json:"claviger"`
		Format     int    `json:"format"`
		Generation uint64 `json:"generation"`
	}
	if i := bytes.LastIndexByte(line, ','); i > 0 {
		line = append(slices.Clone(line[:i]), '}')
	}
	switch err := json.Unmarshal(line, &h); {
	case err != nil:
		return 0, err
	case h.Claviger != schema:
		return 0, errors.New("not a filestore")
	case h.Format > currentFormat:
		return 0, fmt.Errorf("its format %d is newer than %d, the newest that this version reads: %w", h.Format, currentFormat, keystore.ErrNewerFormat)
	}
	return h.Generation, nil
}

func parseRecords(rest []byte, sn, before *snapshot) (*snapshot, error) {
	old, lead := before.byAge, byte(' ')
	for n := 2; len(rest) > 0; n++ {
		line, after, ended := bytes.Cut(rest, []byte("\n"))
		if !ended || len(line) == 0 || line[0] != lead {
			return nil, fmt.Errorf("line %d is not a record", n)
		}
		var e *entry
		// Both are in order of age, so that the old one is the next one of those or not there.
		if len(old) > 0 && old[0].line == string(line[1:]) {
			e = old[0]
		} else {
			var err error
			if e, err = decode(line[1:]); err != nil {
				return nil, fmt.Errorf("line %d: %w", n, err)
			}
		}
		for len(old) > 0 && old[0].place().compare(e.place()) <= 0 {
			old = old[1:]
		}
		if sn.byID[e.id] != nil {
			return nil, fmt.Errorf("line %d has the id of another line", n)
		}
		sn.byID[e.id] = e
		sn.byAge = append(sn.byAge, e)
		sn.size += lineSize(e)
		rest, lead = after, ','
	}
	slices.SortFunc(sn.byAge, func(a, b *entry) int { return a.place().compare(b.place()) })
	return sn, nil
}
