package keystore

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"
	"unicode"
)

// EventType says what happened.
type EventType string

// Types of events.
const (
	EventIssued       EventType = "issued"
	EventImported     EventType = "imported"
	EventEdited       EventType = "edited"
	EventRotated      EventType = "rotated"       // with ReasonCompromised: replaced
	EventOverlapEnded EventType = "overlap_ended" // before its time
	EventSuspended    EventType = "suspended"
	EventResumed      EventType = "resumed"
	EventRevoked      EventType = "revoked"
	EventEnded        EventType = "ended" // a session: its tokens are dead, the next login begins another
	EventDeleted      EventType = "deleted"
	EventQuotaRefused EventType = "quota_refused"
	EventDue          EventType = "due"      // its secret is older than Config.RotateAfter
	EventExpiring     EventType = "expiring" // within Config.ExpiryNotice
	EventExpired      EventType = "expired"
	EventMisuse       EventType = "misuse"             // see MisusePolicy
	EventExposed      EventType = "credential_exposed" // it was sent over plain HTTP; see MisusePolicy
	EventThrottled    EventType = "throttled"          // too many guesses: see Network and Err
	EventFault        EventType = "fault"              // see Err: in the background, or a record that cannot be right
)

// Event is something that happened to a record, or a fault. It holds no secret.
type Event struct {
	Type    EventType
	Time    time.Time // UTC
	KeyID   string
	Kind    Kind
	Owner   string
	Actor   string       // who did it, as WithActor said
	Network netip.Prefix // where it was seen, for what is found in requests
	Reason  Reason
	Until   time.Time // UTC; for EventRotated: the old secret works until then; zero: it does not
	Err     error
}

// LogValue implements [slog.LogValuer]: one group, with what is set.
func (e Event) LogValue() slog.Value {
	attrs := []slog.Attr{slog.String("type", string(e.Type)), slog.Time("time", e.Time)}
	for _, a := range []slog.Attr{
		slog.String("key_id", e.KeyID), slog.String("kind", string(e.Kind)), slog.String("owner", e.Owner),
		slog.String("actor", e.Actor), slog.String("reason", string(e.Reason)),
	} {
		if a.Value.String() != "" {
			attrs = append(attrs, a)
		}
	}
	if e.Network.IsValid() {
		attrs = append(attrs, slog.String("network", e.Network.String()))
	}
	if !e.Until.IsZero() {
		attrs = append(attrs, slog.Time("until", e.Until))
	}
	if e.Err != nil {
		attrs = append(attrs, slog.String("err", e.Err.Error()))
	}
	return slog.GroupValue(attrs...)
}

type actorKey struct{}

// WithActor names who is responsible for the mutations made with ctx: a person, a
// job, a service. The name stands in CreatedBy, in a Mark's By and in events, cut to
// 256 bytes and with spaces for control characters.
func WithActor(ctx context.Context, actor string) context.Context {
	return context.WithValue(ctx, actorKey{}, actor)
}

func actor(ctx context.Context) string {
	name, _ := ctx.Value(actorKey{}).(string)
	return label(name, maxLabel)
}

// label makes of any text one that a record can hold: a key must not stay alive
// because the reason to revoke it was too long.
func label(text string, limit int) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	if len(text) > limit {
		text = strings.ToValidUTF8(text[:limit], "")
	}
	return text
}

func (k *Keys) happened(ctx context.Context, what EventType, r *Record, reason Reason) {
	k.emit(ctx, Event{Type: what, KeyID: r.ID, Kind: r.Kind, Owner: r.Owner, Reason: reason})
}

// fault tells of what nobody who waits has caused, or could be made to wait for.
func (k *Keys) fault(ctx context.Context, err error) {
	k.tellLater(ctx, Event{Type: EventFault, Err: err})
}

func (k *Keys) emit(ctx context.Context, e Event) {
	e.Time, e.Actor = k.config.Now().UTC(), actor(ctx)
	k.deliver(ctx, e)
}

func (k *Keys) deliver(ctx context.Context, e Event) {
	defer func() { _ = recover() }() // what is done is done, whoever cannot hear of it
	if k.config.OnEvent != nil {
		k.config.OnEvent(ctx, e)
	}
}

// laterEvents is how many events wait for a hook that is slow.
const laterEvents = 256

// later are events found in requests, for a goroutine that may wait for the hook.
type later struct {
	queue   chan heard
	dropped atomic.Int64
}

type heard struct {
	ctx   context.Context //nolint:containedctx // travels with the event, for its values alone; nil: it has none
	event Event
}

// tellLater never waits.
func (k *Keys) tellLater(ctx context.Context, e Event) {
	e.Actor = actor(ctx)
	k.enqueue(heard{context.WithoutCancel(ctx), e})
}

// enqueue drops what the queue cannot take, and counts it.
func (k *Keys) enqueue(h heard) {
	h.event.Time = k.config.Now().UTC()
	select {
	case k.later.queue <- h:
	default:
		k.later.dropped.Add(1)
	}
}

// runEvents delivers events until ctx ends, and then those that wait already.
func (k *Keys) runEvents(ctx context.Context) {
	deliver := func(h heard) {
		if h.ctx == nil {
			h.ctx = context.WithoutCancel(ctx)
		}
		k.deliver(h.ctx, h.event) //nolint:contextcheck // the event travels with its own
	}
	for {
		select {
		case h := <-k.later.queue:
			deliver(h)
		case <-ctx.Done():
			for {
				select {
				case h := <-k.later.queue:
					deliver(h)
				default:
					return
				}
			}
		}
		if n := k.later.dropped.Swap(0); n > 0 {
			k.emit(ctx, Event{Type: EventFault, Err: fmt.Errorf("keystore: %d events were dropped, since OnEvent took none for too long", n)})
		}
	}
}
