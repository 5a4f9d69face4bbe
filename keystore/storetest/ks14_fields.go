package storetest

import (
	"fmt"
	"net/netip"
	"reflect"
	"strings"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/scopes"
)

func fieldCases() []testCase {
	return []testCase{
		{"EveryField", anyStore, everyField},
		{"EveryFieldOfARevoked", anyStore, everyFieldOfRevoked},
		{"EveryFieldThroughUpdate", adminStore, everyFieldThroughUpdate},
		{"EveryFieldThroughList", adminStore, everyFieldThroughList},
		{"EachFieldAlone", anyStore, eachFieldAlone},
		{"NothingSet", anyStore, nothingSet},
		{"EveryKind", anyStore, everyKind},
		{"Scopes", anyStore, everyScopeSet},
		{"Largest", anyStore, largestRecord},
	}
}

func everyField(t *trial) {
	for _, r := range t.put(t.live(alias("0a"))) {
		t.here.holds(r, "stored with every field set")
		t.there.holds(r, "stored with every field set")
	}
}

func everyFieldOfRevoked(t *trial) {
	for _, r := range t.put(t.complete(alias("0a"))) {
		t.here.holds(r, "stored revoked, with every field set")
	}
}

func everyFieldThroughUpdate(t *trial) {
	t.here.insert(t.key("a"))
	full := t.complete("a")
	full.Version = 1
	full = t.here.update(full)
	t.here.holds(full, "updated with every field set")
	t.there.holds(full, "updated with every field set")
}

func everyFieldThroughList(t *trial) {
	records := []keystore.Record{t.complete("a"), t.live("b"), t.key("c")}
	t.here.insert(records...)
	t.exactly(t.here.all(keystore.Filter{}), records, "List")
	t.exactly(t.there.all(keystore.Filter{Owner: records[0].Owner, Limit: 1}), records[:2], "List of an owner")
}

// bare is a record with no more than every record has.
func (t *trial) bare(id string) keystore.Record {
	return keystore.Record{ID: id, Version: 1, Op: t.op(), Kind: keystore.KindAPIKey, Env: keystore.EnvLive, Created: at(0)}
}

// A store that keeps a field only together with another one would lose it here.
func eachFieldAlone(t *trial) {
	full := t.complete("full")
	var records []keystore.Record
	for index := range eachField(reflect.TypeFor[keystore.Record]()) {
		r := t.bare(alias(fmt.Sprintf("%02x", len(records))))
		v := reflect.ValueOf(&r).Elem().FieldByIndex(index)
		if v.IsZero() {
			v.Set(reflect.ValueOf(full).FieldByIndex(index))
		}
		records = append(records, r)
	}
	for _, r := range t.put(records...) {
		t.here.holds(r, "stored with one field set")
	}
}

// What is not set comes back not set: an empty list would mean something else.
func nothingSet(t *trial) {
	for _, r := range t.put(t.bare(alias("0a"))) {
		t.here.holds(r, "stored with nothing set that need not be")
	}
}

func everyKind(t *trial) {
	var records []keystore.Record
	for n, k := range []keystore.Kind{keystore.KindAPIKey, keystore.KindSession, keystore.KindClient, keystore.KindAlias} {
		records = append(records, t.key(alias(fmt.Sprintf("%02x", n)), kind(k)))
	}
	for _, r := range t.put(records...) {
		t.here.holds(r, "of kind "+string(r.Kind))
	}
}

// No scopes, Full Access and a pattern are three things.
func everyScopeSet(t *trial) {
	var many []scopes.Scope
	for n := range 256 {
		many = append(many, scopes.Scope(fmt.Sprintf("resource%d:read", n)))
	}
	var records []keystore.Record
	for n, set := range []scopes.Set{{}, scopes.FullAccess(), scopes.MustSet("claims:*"), scopes.MustSet("claims:read"), scopes.MustSet(many...)} {
		records = append(records, t.key(alias(fmt.Sprintf("%02x", n)), func(r *keystore.Record) { r.Scopes = set }))
	}
	for _, r := range t.put(records...) {
		t.here.holds(r, "with the scopes "+cut(r.Scopes.String()))
	}
}

// The largest record that Keys writes is about 300 kB, and its texts have four
// bytes for each character.
func largestRecord(t *trial) {
	r := t.live(strings.Repeat("Z", 80))
	if !t.suite.AdminStore {
		r.ID = alias("0a")
	}
	text := func(size, n int) string {
		number := fmt.Sprintf("%04d", n)
		return strings.Repeat("\U0001F511", (size-len(number))/4) + number
	}
	r.Owner, r.Name, r.CreatedBy = text(256, 1), text(256, 2), text(256, 3)
	r.Type, r.Generation.Signer = text(64, 4), text(64, 5)
	r.Suspended.By, r.Suspended.Reason = text(256, 6), keystore.Reason(text(64, 7))
	r.Grant = keystore.Grant{RedirectURI: text(2048, 8), Challenge: text(256, 9)}
	r.Generation.Seed = []byte(text(64, 10))
	r.Client, r.Meta = keystore.Client{Public: true}, map[string]string{}
	r.Limits.Networks, r.Limits.DeniedNetworks, r.Limits.Audiences, r.Limits.Methods = nil, nil, nil, nil
	for n := range 64 {
		r.Client.RedirectURIs = append(r.Client.RedirectURIs, text(2048, n))
		r.Client.Grants = append(r.Client.Grants, text(64, n))
		r.Limits.Audiences = append(r.Limits.Audiences, text(256, n))
		r.Limits.Methods = append(r.Limits.Methods, strings.Repeat("M", n+1))
		r.Limits.Networks = append(r.Limits.Networks, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(n), 0, 0}), 16))
		r.Limits.DeniedNetworks = append(r.Limits.DeniedNetworks, netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, byte(n)}), 40))
		if n < 32 {
			r.Meta[text(256, n)] = text(256, n)
		}
	}
	for _, r := range t.put(r) {
		t.here.holds(r, "as large as Keys makes them")
		if t.suite.AdminStore {
			t.there.holds(t.here.update(r), "as large as Keys makes them, updated")
		}
	}
}
