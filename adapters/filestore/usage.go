package filestore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/claviger-go/claviger/adapters/filestore/internal/disk"
	"github.com/claviger-go/claviger/keystore"
)

// usageFile is the file beside that of the records: what is lost with it is only counts.
type usageFile struct {
	Claviger string `json:"claviger"`
	Format   int    `json:"format"`
	Usage    []used `json:"usage"`
}

// used is a line of it. Those of one record stand together.
type used struct {
	ID        string       `json:"id"`
	Secret    uint32       `json:"secret,omitzero"`
	Count     uint64       `json:"count"`
	FirstUsed time.Time    `json:"first_used,omitzero"`
	LastUsed  time.Time    `json:"last_used,omitzero"`
	Network   netip.Prefix `json:"network,omitzero"`
}

// counts is what is known, by id.
type counts map[string][]used

func (c counts) add(u keystore.Usage) {
	sums := c[u.ID]
	at := slices.IndexFunc(sums, func(known used) bool { return known.Secret == u.Secret })
	if at < 0 {
		at, sums = len(sums), append(sums, used{})
	}
	sums[at] = used(keystore.Usage(sums[at]).Add(u))
	c[u.ID] = sums
}

const usageSchema = "filestore usage"

func (s *Store) usagePath() string { return s.path + ".usage" }

// AddUsage adds each of u to what is known of its id and secret, as [keystore.Usage.Add] does. An id without a record is
// dropped; one that comes twice is added twice. Update keeps the usage of a record; that of a deleted one goes with the
// next AddUsage.
//
// It rewrites a file of its own, under the lock of the records. If that file is damaged, it is begun anew.
func (s *Store) AddUsage(ctx context.Context, u []keystore.Usage) error {
	if err := ctx.Err(); err != nil || len(u) == 0 {
		return err
	}
	_, release, err := s.lock(ctx)
	if err != nil {
		return err
	}
	defer release()
	sn, err := s.fresh(ctx)
	if err != nil {
		return err
	}
	known, info, err := s.readUsage()
	if err != nil {
		return err
	}
	for _, u := range u {
		known.add(u)
	}
	maps.DeleteFunc(known, func(id string, _ []used) bool { return sn.byID[id] == nil })
	if info == nil {
		info = sn.info // for its owner
	}
	draft, err := disk.Prepare(s.usagePath(), info, func(w io.Writer) error { return writeUsage(w, known) })
	if err != nil {
		return fmt.Errorf("filestore: %w", err)
	}
	if _, err := draft.Commit(); err != nil {
		return fmt.Errorf("filestore: %w", errors.Join(err, draft.Discard()))
	}
	return nil
}

// Usage returns what is known of ids, in their order. Secrets never used are left out.
func (s *Store) Usage(ctx context.Context, ids []string) ([]keystore.Usage, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	known, _, err := s.readUsage()
	if err != nil {
		return nil, err
	}
	var found []keystore.Usage
	for _, id := range ids {
		for _, u := range known[id] {
			if u.Count > 0 || !u.LastUsed.IsZero() {
				found = append(found, keystore.Usage(u))
			}
		}
	}
	return found, nil
}

// readUsage returns an empty map for a file that is missing or damaged. One of a newer format is an error: it would be
// overwritten.
func (s *Store) readUsage() (counts, fs.FileInfo, error) {
	known := counts{}
	data, info, err := disk.Read(s.usagePath(), 2*s.limit)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return known, nil, nil
	case errors.Is(err, disk.ErrTooLarge):
		return known, info, nil
	case err != nil:
		return nil, nil, fmt.Errorf("filestore: %w", err)
	}
	var f usageFile
	damaged := json.Unmarshal(data, &f) != nil || f.Claviger != usageSchema
	if damaged {
		return known, info, nil
	}
	if f.Format > currentFormat {
		return nil, nil, fmt.Errorf("filestore: %s has format %d: %w", s.usagePath(), f.Format, keystore.ErrNewerFormat)
	}
	for _, u := range f.Usage {
		known[u.ID] = append(known[u.ID], u)
	}
	return known, info, nil
}

func writeUsage(w io.Writer, known counts) error {
	var text bytes.Buffer
	fmt.Fprintf(&text, `{"claviger":"%s","format":%d,"usage":[`+"\n", usageSchema, currentFormat)
	lead := " "
	for _, id := range slices.Sorted(maps.Keys(known)) {
		for _, u := range known[id] {
			line, err := json.Marshal(u)
			if err != nil {
				return err
			}
			fmt.Fprintf(&text, "%s%s\n", lead, line)
			lead = ","
		}
	}
	text.WriteString("]}\n")
	_, err := w.Write(text.Bytes())
	return err
}
