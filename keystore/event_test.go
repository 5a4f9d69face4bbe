package keystore_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
)

// T-130: one event for each mutation, and what slog writes of it.
func TestT130_GoldenEvents(t *testing.T) {
	t.Parallel()
	var lines bytes.Buffer
	log := slog.New(slog.NewTextHandler(&lines, &slog.HandlerOptions{
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && a.Key != "event" {
				return slog.Attr{}
			}
			return a
		},
	}))
	store, clock := newStub(), newClock()
	keys := openKeys(t, store, keystore.Config{
		Now: func() time.Time { return clock.Now().In(time.FixedZone("CET", 3600)) }, AcceptForeign: true,
		OnEvent: func(ctx context.Context, e keystore.Event) { log.InfoContext(ctx, "", "event", e) },
	})
	ann := keystore.WithActor(t.Context(), "ann")
	one := keystore.Spec{Owner: "acme", Type: "ucd", MaxPerOwner: 1}
	issued, err := keys.Issue(ann, one)
	require.NoError(t, err)
	id := issued.Record.ID
	_, err = keys.Issue(ann, one)
	require.ErrorIs(t, err, keystore.ErrQuota)
	imported, err := keys.Import(t.Context(), spec, keystore.NewSecret(foreignText))
	require.NoError(t, err)
	clock.move(time.Second)
	_, err = keys.Edit(ann, id, func(r *keystore.Record) error { r.Name = "x"; return nil })
	require.NoError(t, err)
	require.NoError(t, keys.Suspend(ann, id, keystore.ReasonMisuse))
	require.NoError(t, keys.Suspend(ann, id, keystore.ReasonMisuse)) // nothing, so no event
	require.NoError(t, keys.Resume(ann, id))
	require.NoError(t, keys.Resume(ann, id))
	r, err := keys.Lookup(t.Context(), id)
	require.NoError(t, err)
	rotated, err := keys.Rotate(ann, id, r.Version, time.Hour)
	require.NoError(t, err)
	require.NoError(t, keys.EndOverlap(ann, id))
	require.NoError(t, keys.EndOverlap(ann, id))
	replaced, err := keys.Replace(ann, id)
	require.NoError(t, err)
	require.NoError(t, keys.Revoke(ann, id, ""))
	require.NoError(t, keys.Revoke(ann, id, ""))
	require.NoError(t, keys.Delete(t.Context(), id))
	store.bend(func(context.Context, string, func() (keystore.Record, error)) (keystore.Record, error) {
		return keystore.Record{ID: "7Gk2mXw9QaTz"}, nil
	})
	_, err = keys.Verify(t.Context(), foreignText)
	requireUnavailable(t, err)
	require.NoError(t, keys.Close())

	golden := `
event.type=issued event.time=2026-11-22T03:00:00.000Z event.key_id=ID event.kind=api_key event.owner=acme event.actor=ann
event.type=quota_refused event.time=2026-11-22T03:00:00.000Z event.key_id=NEW event.kind=api_key event.owner=acme event.actor=ann
event.type=imported event.time=2026-11-22T03:00:00.000Z event.key_id=IMPORTED event.kind=api_key event.owner=acme
event.type=edited event.time=2026-11-22T03:00:01.000Z event.key_id=ID event.kind=api_key event.owner=acme event.actor=ann
event.type=suspended event.time=2026-11-22T03:00:01.000Z event.key_id=ID event.kind=api_key event.owner=acme event.actor=ann event.reason=misuse
event.type=resumed event.time=2026-11-22T03:00:01.000Z event.key_id=ID event.kind=api_key event.owner=acme event.actor=ann event.reason=misuse
event.type=rotated event.time=2026-11-22T03:00:01.000Z event.key_id=ID event.kind=api_key event.owner=acme event.actor=ann event.until=2026-11-22T04:00:01.000Z
event.type=overlap_ended event.time=2026-11-22T03:00:01.000Z event.key_id=ID event.kind=api_key event.owner=acme event.actor=ann
event.type=rotated event.time=2026-11-22T03:00:01.000Z event.key_id=ID event.kind=api_key event.owner=acme event.actor=ann event.reason=compromised
event.type=revoked event.time=2026-11-22T03:00:01.000Z event.key_id=ID event.kind=api_key event.owner=acme event.actor=ann event.reason=unspecified
event.type=deleted event.time=2026-11-22T03:00:01.000Z event.key_id=ID
event.type=fault event.time=2026-11-22T03:00:01.000Z event.err="keystore: the store answered a Lookup of \"ALIAS\" with the record \"7Gk2mXw9QaTz\""
`
	for name, value := range map[string]string{"=ID": "=" + id, "IMPORTED": imported.ID, "ALIAS": aliasID(foreignText)[:64] + "…"} {
		golden = strings.ReplaceAll(golden, name, value)
	}
	written := lines.String()
	start := strings.Index(written, "quota_refused")
	unissued := written[strings.Index(written[start:], "key_id=")+start+len("key_id="):][:12]
	require.Equal(t, strings.TrimPrefix(strings.ReplaceAll(golden, "NEW", unissued), "\n"), written)
	for _, secret := range []keystore.Issued{issued, rotated, replaced} {
		require.NotContains(t, written, secret.Credential.Reveal())
	}
	require.NotContains(t, written, foreignText)
}

func TestEvent_AnswersToWhoMadeTheChange(t *testing.T) {
	t.Parallel()
	type request struct{}
	var told []keystore.Event
	var seen []any
	keys := openKeys(t, newStub(), keystore.Config{OnEvent: func(ctx context.Context, e keystore.Event) {
		told, seen = append(told, e), append(seen, ctx.Value(request{}))
	}})
	ctx := context.WithValue(keystore.WithActor(t.Context(), "job"), request{}, "42")
	issued, err := keys.Issue(ctx, spec)
	require.NoError(t, err)
	require.Equal(t, []any{"42"}, seen, "when Issue returns, in its goroutine and with its ctx")
	require.Equal(t, "job", told[0].Actor)
	require.Equal(t, "job", issued.Record.CreatedBy)
	require.Equal(t, time.UTC, told[0].Time.Location())

	// An edit that sets a mark is what the mark says.
	_, err = keys.Edit(ctx, issued.Record.ID, func(r *keystore.Record) error {
		r.Name, r.Suspended = "x", keystore.Mark{At: keys.Now(), Reason: keystore.ReasonOwner}
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, keystore.EventSuspended, told[1].Type)
	require.Equal(t, keystore.ReasonOwner, told[1].Reason)
}

func TestEvent_PanicInOnEventIsDropped(t *testing.T) {
	t.Parallel()
	calls := 0
	keys := openKeys(t, newStub(), keystore.Config{OnEvent: func(context.Context, keystore.Event) {
		calls++
		panic("a log that is full")
	}})
	id, text := issue(t, keys, spec)
	requireAccepted(t, keys, text)
	require.NoError(t, keys.Revoke(t.Context(), id, ""))
	requireRefused(t, keys, text, keystore.OutcomeRevoked)
	require.NoError(t, keys.Delete(t.Context(), id))
	require.Equal(t, 3, calls)
}

// What happened may be asked of the same Keys: no lock is held meanwhile.
func TestEvent_OnEventMayCallKeys(t *testing.T) {
	t.Parallel()
	var keys *keystore.Keys
	keys = openKeys(t, newStub(), keystore.Config{OnEvent: func(ctx context.Context, e keystore.Event) {
		if e.Type == keystore.EventSuspended {
			if err := keys.Revoke(ctx, e.KeyID, e.Reason); err != nil {
				t.Error(err)
			}
		}
	}})
	id, text := issue(t, keys, spec)
	require.NoError(t, keys.Suspend(t.Context(), id, ""))
	requireRefused(t, keys, text, keystore.OutcomeRevoked)
}

func TestEvent_LogValueLeavesOutWhatIsNotSet(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, time.November, 22, 3, 0, 0, 0, time.UTC)
	require.Equal(t, []slog.Attr{slog.String("type", "fault"), slog.Time("time", at), slog.String("err", "no")},
		keystore.Event{Type: keystore.EventFault, Time: at, Err: errors.New("no")}.LogValue().Group())
}
