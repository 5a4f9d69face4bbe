package middleware

import (
	"context"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/scopes"
)

// Explain tells an operator why the key with this id would be refused here: the
// [*keystore.RefusedError] that a request would meet, nil if it would be admitted.
// It supposes a request from a network, with a method and on a route that the key allows, over
// HTTPS and from no browser, and counts no use. The store is read, but a key that
// the cache says is suspended or expired may be so for MaxStaleness.
func (a *Auth) Explain(ctx context.Context, id string, asked scopes.Requirement) error {
	p, err := a.keys.Principal(ctx, id)
	if err == nil {
		_, err = a.keys.Refresh(ctx, p)
	}
	access := keystore.Access{Requirement: asked, Envs: a.envs, Audience: a.config.Audience, Secure: true}
	for err == nil && id != "" {
		var r keystore.Record
		if r, err = a.keys.Lookup(ctx, id); err != nil {
			return err
		}
		r.Limits.Networks, r.Limits.DeniedNetworks, r.Limits.Methods, r.Limits.Routes = nil, nil, nil, nil
		if r.Kind != keystore.KindAlias { // another name of its parent
			err = keystore.NewPrincipal(r).Check(&access)
		}
		id = r.Parent
	}
	return err
}
