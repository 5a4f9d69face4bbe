package main

import (
	"context"
	"fmt"
	"time"

	"github.com/claviger-go/claviger/keystore"
)

// hear is told what happens to keys. Those who run this read all of it, customers what concerns them.
func (c *config) hear(ctx context.Context, e keystore.Event) {
	c.log.InfoContext(ctx, "key", "event", e)
	if text := notice(e); text != "" {
		c.notify(e.Owner, text)
	}
}

// notice is what a customer is told of an event. It holds no key: mails are read by many.
func notice(e keystore.Event) string {
	switch e.Type {
	case keystore.EventDue:
		return fmt.Sprintf("Your key %s will be rotated soon: a new one is added, and both work for %d days.", e.KeyID, overlap/(24*time.Hour))
	case keystore.EventRotated:
		if e.Reason == keystore.ReasonCompromised {
			return fmt.Sprintf("Your key %s was replaced. The old one has ended.", e.KeyID)
		}
		return fmt.Sprintf("Your key %s was rotated. The old one works until %s.", e.KeyID, e.Until.Format(time.RFC1123))
	case keystore.EventExpiring:
		return fmt.Sprintf("Your key %s expires soon. Ask for a new one.", e.KeyID)
	case keystore.EventSuspended:
		return fmt.Sprintf("Your key %s is suspended: %s. Ask your account manager.", e.KeyID, e.Reason)
	default:
		return ""
	}
}
