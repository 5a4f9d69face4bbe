package keystore

import (
	"errors"
	"fmt"
	"time"

	"github.com/claviger-go/claviger/scopes"
)

// Outcome is what became of a request, in one word for logs and metrics. Clients
// are told less.
type Outcome string

// Outcomes. Those called credential-… but the first two are told to clients as
// one and the same.
const (
	OutcomeAccepted Outcome = "accepted"

	OutcomeMissing   Outcome = "credential-missing"
	OutcomeAmbiguous Outcome = "credential-ambiguous" // more than one

	OutcomeMalformed   Outcome = "credential-malformed"
	OutcomeUnknown     Outcome = "credential-unknown"
	OutcomeWrongSecret Outcome = "credential-wrong-secret"
	OutcomeExpired     Outcome = "credential-expired"
	OutcomeIdle        Outcome = "credential-idle" // unused for Limits.IdleTimeout
	OutcomeNotYetValid Outcome = "credential-not-yet-valid"
	OutcomeSuspended   Outcome = "credential-suspended"
	OutcomeRevoked     Outcome = "credential-revoked"
	OutcomeOrphaned    Outcome = "credential-orphaned" // its parent, or the parent's secret, is gone

	OutcomeHTTPSRequired   Outcome = "https-required"
	OutcomeNetworkRefused  Outcome = "network-refused"
	OutcomeBrowserRefused  Outcome = "browser-refused"
	OutcomeMethodRefused   Outcome = "method-refused"
	OutcomeRouteRefused    Outcome = "route-refused"
	OutcomeAudienceRefused Outcome = "audience-refused"
	OutcomeEnvRefused      Outcome = "env-refused"
	OutcomeScopeMissing    Outcome = "scope-missing"

	OutcomeRateLimited Outcome = "rate-limited" // the key made too many requests
	OutcomeThrottled   Outcome = "throttled"    // its network, or somebody for its account, guessed too often

	OutcomeUnavailable Outcome = "unavailable" // the store or the hasher cannot answer
)

// RefusedError is a definite no. Any other error of Verify, Principal and Admit
// but [ErrUnrecognized] wraps [ErrUnavailable].
type RefusedError struct {
	Outcome Outcome
	KeyID   string         // of the record that refuses, or that was asked for; public
	Owner   string         // of that record, once the secret was proven
	Missing []scopes.Scope // with OutcomeScopeMissing

	RetryAfter time.Duration // with OutcomeRateLimited and OutcomeThrottled

	form error // ErrUnrecognized, where another verifier may know the text
}

// Unwrap makes the refusal of an unknown foreign text an [ErrUnrecognized] as well:
// another verifier may know it.
func (e *RefusedError) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.form
}

func (e *RefusedError) Error() string {
	if e.KeyID == "" {
		return "keystore: refused: " + string(e.Outcome)
	}
	return fmt.Sprintf("keystore: refused: %s (%s)", e.Outcome, e.KeyID)
}

var (
	// ErrUnrecognized: the credential has not the form that this verifier knows;
	// ask the next one.
	ErrUnrecognized = errors.New("keystore: not a credential of this form")
	// ErrUnavailable: no answer can be had at the moment. It says nothing about
	// the credential and is never taken for "no" or for "yes".
	ErrUnavailable = errors.New("keystore: cannot answer")
)

func unavailable(err error) error {
	if errors.Is(err, ErrUnavailable) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}
