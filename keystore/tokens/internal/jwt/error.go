package jwt

import (
	"errors"
	"fmt"
)

// ErrMalformed: not a token in the one form that passes.
var ErrMalformed = errors.New("jwt: malformed")

// Why a genuine token is refused, in the order of the checks.
var (
	ErrType        = errors.New("jwt: another type of token")
	ErrIssuer      = errors.New("jwt: another issuer")
	ErrAudience    = errors.New("jwt: another audience")
	ErrExpired     = errors.New("jwt: expired")
	ErrNotYetValid = errors.New("jwt: not yet valid")
)

// malformed takes a reason that is ours: a token's own words must not reach a log.
func malformed(reason string) error { return fmt.Errorf("%w: %s", ErrMalformed, reason) }
