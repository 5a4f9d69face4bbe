// Package identity carries a request's principal in its context. It is apart so
// that only middleware and authtest can put one there.
package identity

import (
	"context"

	"github.com/claviger-go/claviger/keystore"
)

type key struct{}

// carrier is what context.WithValue would make, at half of its size and cost.
type carrier struct {
	context.Context //nolint:containedctx // it is a context

	principal *keystore.Principal
}

func (c *carrier) Value(k any) any {
	if k == (key{}) {
		return c.principal
	}
	return c.Context.Value(k)
}

// With returns ctx with p in it.
func With(ctx context.Context, p *keystore.Principal) context.Context {
	return &carrier{ctx, p}
}

// From returns the principal in ctx, or nil.
func From(ctx context.Context) *keystore.Principal {
	p, _ := ctx.Value(key{}).(*keystore.Principal)
	return p
}
