package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/middleware"
)

// overlap is how long the old key works beside the new one: time for a customer to deploy.
const overlap = 14 * 24 * time.Hour

// errOverlap: another rotation would end a key that works still.
var errOverlap = errors.New("the key is being rotated already: wait until the old one has ended, or replace it")

// rotate adds a new key, and lets the old one work on for the overlap.
func (s *server) rotate(w http.ResponseWriter, r *http.Request) {
	s.renew(w, r, func(ctx context.Context, key keystore.Record) (keystore.Issued, error) {
		if len(key.Secrets) > 1 && s.keys.Now().Before(key.Secrets[1].Expires) {
			return keystore.Issued{}, errOverlap
		}
		return s.keys.Rotate(ctx, key.ID, key.Version, overlap)
	})
}

// replace is for a key that is compromised: a new one now, and the end of the old.
func (s *server) replace(w http.ResponseWriter, r *http.Request) {
	s.renew(w, r, func(ctx context.Context, key keystore.Record) (keystore.Issued, error) {
		return s.keys.Replace(ctx, key.ID)
	})
}

// renewed is the one answer that ever shows a new key.
type renewed struct {
	ID       string     `json:"id"`
	Key      string     `json:"key"`
	OldUntil *time.Time `json:"old_key_works_until,omitempty"`
}

func (s *server) renew(w http.ResponseWriter, r *http.Request, how func(context.Context, keystore.Record) (keystore.Issued, error)) {
	by := middleware.Principal(r.Context())
	ctx := keystore.WithActor(r.Context(), by.Name()+" "+by.KeyID())
	key, err := s.keys.Lookup(ctx, r.PathValue("id"))
	if err == nil && (key.Kind != keystore.KindAPIKey || key.Owner != by.Owner() && !by.Allows("accounts:manage")) {
		err = keystore.ErrNotFound // nobody learns which ids others have
	}
	var issued keystore.Issued
	if err == nil {
		issued, err = how(ctx, key)
	}
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	shown := renewed{ID: issued.Record.ID, Key: issued.Credential.Reveal()}
	if len(issued.Record.Secrets) > 1 {
		shown.OldUntil = &issued.Record.Secrets[1].Expires
	}
	w.Header().Set("Cache-Control", "no-store")
	answer(w, shown)
}

func (s *server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	w.Header().Set("Cache-Control", "no-store")
	switch {
	case errors.Is(err, keystore.ErrNotFound):
		http.Error(w, "no such key", http.StatusNotFound)
	case errors.Is(err, keystore.ErrConflict):
		http.Error(w, "somebody else has changed the key just now: look at it, and try again", http.StatusConflict)
	case errors.Is(err, keystore.ErrRevoked), errors.Is(err, keystore.ErrExpired):
		http.Error(w, "the key has ended, and stays so: issue a new one", http.StatusConflict)
	case errors.Is(err, errOverlap):
		http.Error(w, err.Error(), http.StatusConflict)
	default:
		s.log.ErrorContext(r.Context(), "renew", "err", err)
		w.Header().Set("Retry-After", "5")
		http.Error(w, "the key cannot be changed at the moment: try again later", http.StatusServiceUnavailable)
	}
}
