package bulk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/claviger-go/claviger/keystore"
)

// Config says how to import.
type Config struct {
	_ struct{}

	// Format of the file; there is no default.
	Format Format
	// DryRun checks everything and writes nothing. Quotas, and what others write
	// meanwhile, it cannot see. Defaults to false.
	DryRun bool
	// SkipRefused imports the other lines although some are refused. Defaults to
	// false: then nothing is imported.
	SkipRefused bool
	// Progress hears of the report so far, after every 1,000 lines that were
	// written or found there. Defaults to nobody.
	Progress func(Report)
}

// Report says what became of the lines.
type Report struct {
	Imported int // or in a dry run, what would have been
	Existing int // there already, of the same owner
	Refused  []Refusal
}

// Refusal is a line that was not imported, and why. It quotes no key.
type Refusal struct {
	Line int // counted from 1; the header of a CSV file is one
	Err  error
}

// ErrRefused: some lines were refused, so nothing was imported.
var ErrRefused = errors.New("bulk: lines were refused, so nothing was imported")

// Import reads keys and clients from r, checks all of them, and imports them: see
// the package's doc. The file is held in memory, without the texts of keys.
//
// Errors: [ErrRefused], of which the report says more; a file that cannot be read;
// and what the store could not do, wrapping [keystore.ErrUnavailable]: then the
// lines before are imported, and the same file can be imported again.
func Import(ctx context.Context, keys *keystore.Keys, r io.Reader, config Config) (Report, error) {
	if config.Format != CSV && config.Format != JSONLines {
		return Report{}, fmt.Errorf("bulk: Config.Format is %q: want CSV or JSONLines", config.Format)
	}
	report := &Report{}
	entries, err := understand(keys, r, config.Format, report)
	if err != nil {
		return *report, err
	}
	if entries, err = missing(ctx, keys, entries, report); err != nil {
		return *report, err
	}
	slices.SortFunc(report.Refused, func(a, b Refusal) int { return cmp.Compare(a.Line, b.Line) })
	switch {
	case len(report.Refused) > 0 && !config.SkipRefused && !config.DryRun:
		return *report, fmt.Errorf("%w: %d of them", ErrRefused, len(report.Refused))
	case config.DryRun:
		report.Imported = len(entries)
		return *report, nil
	}
	for i := range entries {
		if err := report.write(ctx, keys, &entries[i]); err != nil {
			return *report, fmt.Errorf("bulk: line %d: %w", entries[i].number, err)
		}
		if config.Progress != nil && (i+1)%1000 == 0 {
			config.Progress(*report)
		}
	}
	return *report, nil
}

func (r *Report) refuse(line int, err error) { r.Refused = append(r.Refused, Refusal{line, err}) }

// understand reads the whole file.
func understand(keys *keystore.Keys, r io.Reader, format Format, report *Report) (entries []entry, err error) {
	first := map[string]int{}
	for number, p := range format.lines(r) {
		if number == 0 {
			return nil, fmt.Errorf("bulk: the file cannot be read: %w", p.err)
		}
		if p.err != nil {
			report.refuse(number, p.err)
			continue
		}
		e, err := p.line.entry(number, keys)
		if earlier := first[e.id]; err == nil && earlier > 0 {
			err = fmt.Errorf("the same key as on line %d", earlier)
		}
		if err != nil {
			report.refuse(number, err)
			continue
		}
		first[e.id] = number
		entries = append(entries, e)
	}
	return entries, nil
}

// missing keeps the entries that the store does not have, and that it could.
func missing(ctx context.Context, keys *keystore.Keys, entries []entry, report *Report) (left []entry, err error) {
	for i := range entries {
		e := &entries[i]
		found, err := keys.Lookup(ctx, e.id)
		switch {
		case errors.Is(err, keystore.ErrNotFound):
			if err := e.check(keys); err != nil {
				report.refuse(e.number, err)
				continue
			}
			left = append(left, *e)
		case err != nil:
			return nil, fmt.Errorf("bulk: line %d: %w", e.number, err)
		default:
			report.existing(e, &found)
		}
	}
	return left, nil
}

// existing counts an entry that is there already, if what is there is the same.
func (r *Report) existing(e *entry, found *keystore.Record) {
	kind := keystore.KindAlias
	if e.client {
		kind = keystore.KindClient
	}
	if found.Owner != e.spec.Owner || found.Kind != kind {
		r.refuse(e.number, errors.New("it is there already, for another owner or as something else"))
		return
	}
	r.Existing++
}

// write imports one entry. A definite no is a refusal; an error ends the import.
func (r *Report) write(ctx context.Context, keys *keystore.Keys, e *entry) (err error) {
	if e.client {
		_, err = keys.ImportClient(ctx, e.id, e.spec, keystore.Client{}, e.hash)
	} else {
		_, err = keys.ImportSHA256(ctx, e.spec, e.digest)
	}
	switch {
	case err == nil:
		r.Imported++
	case errors.Is(err, keystore.ErrExists): // since a moment ago
		found, err := keys.Lookup(ctx, e.id)
		if err != nil {
			return err
		}
		r.existing(e, &found)
	case errors.Is(err, keystore.ErrQuota), errors.Is(err, keystore.ErrInvalid):
		r.refuse(e.number, err)
	default:
		return err
	}
	return nil
}
