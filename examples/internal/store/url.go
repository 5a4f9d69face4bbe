package store

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/claviger-go/claviger/keystore"
)

// openServer opens what is reached over a network.
func openServer(ctx context.Context, text string, open func(context.Context, *url.URL) (*Store, error)) (*Store, error) {
	u, err := parse(text)
	if err != nil {
		return nil, err
	}
	return open(ctx, u)
}

// parse parses the URL of a server. No error of url.Parse gets out, since each quotes a part that it took for something
// else than a password: of postgres://app:7/up@db it says that "7" is an odd port.
func parse(text string) (*url.URL, error) {
	kind, rest, _ := strings.Cut(text, ":")
	u, err := url.Parse(text)
	if err != nil || !strings.HasPrefix(rest, "//") || misplaced(rest[2:]) {
		return nil, fmt.Errorf("store: this is no URL of %s: want %[1]s://USER:PASSWORD@HOST:PORT/DATABASE, with %%40 for @ in the password, "+
			"%%3A for :, %%2F for /, %%3F for ?, %%23 for # and %%25 for %%", kind)
	}
	return u, nil
}

// misplaced finds the rest of a password that has a slash, a question mark or a number sign in it: an @ comes after that.
func misplaced(rest string) bool {
	end := strings.IndexAny(rest, "/?#")
	return end >= 0 && strings.ContainsAny(rest[end:], "@#")
}

// place is what errors tell of a URL: neither the user nor settings, which may be passwords, too.
func place(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

// refused is the error of a driver that cannot use the URL. Only its text is kept: pgx has put the URL into the error.
func refused(u *url.URL, err error) error {
	return errors.New("store: the URL of " + place(u) + " has to be corrected: " + err.Error())
}

// failed is the error of a server that was asked.
func failed(u *url.URL, err error) error {
	if _, ok := errors.AsType[*keystore.ConfigError](err); ok {
		return fmt.Errorf("store: %s is not set up to keep keys: %w", place(u), err)
	}
	return fmt.Errorf("store: cannot open %s (does it run there, and know this user, password and database?): %w", place(u), err)
}
