package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/keystore/bulk"
)

// importFile takes over the keys in a file, in the format that its name ends in.
func (s *server) importFile(ctx context.Context, path string) error {
	file, err := os.Open(path) //nolint:gosec // who starts the program names the file
	if err != nil {
		return err
	}
	err = s.importKeys(ctx, file, bulk.Format(strings.TrimPrefix(filepath.Ext(path), ".")))
	return errors.Join(err, file.Close())
}

// importKeys takes over keys that exist already, and puts imin's terms on those that have none yet. If a line is
// refused, none is taken over.
func (s *server) importKeys(ctx context.Context, lines io.Reader, format bulk.Format) error {
	report, err := bulk.Import(ctx, s.keys, lines, bulk.Config{Format: format})
	for _, refused := range report.Refused {
		err = errors.Join(err, fmt.Errorf("line %d: %w", refused.Line, refused.Err))
	}
	s.log.InfoContext(ctx, "import", "imported", report.Imported, "existing", report.Existing, "refused", len(report.Refused))
	return errors.Join(err, s.license(ctx))
}

// license puts imin's terms on every key that is without.
func (s *server) license(ctx context.Context) error {
	var problems []error
	for key, err := range s.keys.All(ctx, keystore.Filter{Kind: keystore.KindAPIKey}) {
		if err != nil {
			return err
		}
		if key.Limits.Services > 0 || !key.Revoked.IsZero() {
			continue
		}
		services, bad := licensed(key)
		_, err := s.keys.Edit(ctx, key.ID, func(r *keystore.Record) error {
			r.Limits = terms(services)
			return nil
		})
		problems = append(problems, bad, err)
	}
	return errors.Join(problems...)
}

// terms are for how many services a key is, and that those are servers.
func terms(services int) keystore.Limits {
	return keystore.Limits{Services: services, ServerOnly: true}
}

// licensed is for how many services a key is licensed: for one, unless its note says more (a white-label product).
func licensed(key keystore.Record) (int, error) {
	note, ok := key.Meta["services"]
	if !ok || note == "" {
		return 1, nil
	}
	services, err := strconv.Atoi(note)
	if err != nil || services < 1 || services > 15 {
		return 1, fmt.Errorf("key %s of %s: meta services is %q: want 1 to 15; it is licensed for one", key.ID, key.Owner, note)
	}
	return services, nil
}
