package middleware

import (
	"context"
	"net/netip"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/scopes"
)

// Explain tells an operator why the key with this id would be refused here: the
// error that stands behind the refusal, nil if it would be admitted. It supposes a
// request such as the key's own limits allow, over HTTPS and from no browser, and
// counts no use. The store is read.
func (a *Auth) Explain(ctx context.Context, id string, asked scopes.Requirement) error {
	record, err := a.keys.Lookup(ctx, id)
	if err != nil {
		return err
	}
	p, err := a.keys.Principal(ctx, id)
	if err == nil {
		p, err = a.keys.Refresh(ctx, p)
	}
	if err != nil {
		return err
	}
	access := keystore.Access{
		Requirement: asked, Envs: a.envs, Audience: a.config.Audience, Secure: true,
		Remote: netip.IPv6Unspecified(), Method: "GET",
	}
	if networks := record.Limits.Networks; len(networks) > 0 {
		access.Remote = networks[0].Addr()
	}
	if methods := record.Limits.Methods; len(methods) > 0 {
		access.Method = methods[0]
	}
	return p.Check(&access)
}
