package memstore

import "github.com/claviger-go/claviger/keystore"

// reached reports whether there is no room for c. The records of an owner are only counted when there are enough of
// them, dead ones included; or each of ten thousand keys would count those before it.
func (s *Store) reached(c content, q keystore.Quota) bool {
	if q.Max == 0 || s.byOwner.size(c.owner) < q.Max {
		return false
	}
	left, now := q.Max, q.Now.UnixMicro()
	for e := range s.byOwner.older(newest(c.owner)) {
		if left <= 0 {
			break
		}
		if e.class == c.class && e.live(now) {
			left--
		}
	}
	return left <= 0
}

// live reports whether the record counts towards a quota; it is expired from the instant of its expiry on.
func (c *content) live(now int64) bool {
	return !c.revoked && (c.expires == never || now < c.expires)
}
