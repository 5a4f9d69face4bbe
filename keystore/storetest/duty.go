package storetest

import "strings"

// duty is what a store owes, and how that is proven.
type duty struct {
	label string
	text  string // as the doc of keystore.KeyStore has it
	cases []testCase
}

// testCase proves one thing about a duty, on a store of its own.
type testCase struct {
	name  string
	needs needs
	run   func(t *trial)
}

// needs is what a case asks for besides Lookup.
type needs uint8

const (
	adminStore needs = 1 << iota
	watcher
	usageStore
	rateStore
	hang

	anyStore needs = 0
)

func (n needs) String() string {
	var names []string
	for _, known := range []struct {
		needs needs
		name  string
	}{
		{adminStore, "keystore.AdminStore"},
		{watcher, "keystore.Watcher"},
		{usageStore, "keystore.UsageStore"},
		{rateStore, "keystore.RateStore"},
		{hang, "Config.Hang"},
	} {
		if n&known.needs != 0 {
			names = append(names, known.name)
		}
	}
	return strings.Join(names, " and ")
}

func duties() []duty {
	return []duty{
		{"Capabilities", "New finds capabilities once, so a wrapper that hides one loses it.", capabilityCases()},
		{"KS1", `a missing record is [ErrNotFound]; any other error means "cannot answer" and is never taken for "no".`, missingCases()},
		{"KS2", "safe for concurrent use.", concurrencyCases()},
		{"KS3", "honours ctx: a call whose ctx has ended answers with its error and writes nothing; a wait ends with it.", contextCases()},
		{"KS4", "a Lookup that starts after a mutation returned, in any process, sees it. Reads go to the primary, never to a replica that may lag.", consistencyCases()},
		{"KS5", "keeps no caller's slice or map and hands none of its own out.", aliasingCases()},
		{"KS6", "ids are 1 to 80 bytes of [0-9A-Za-z:] and compare byte for byte, case and all.", idCases()},
		{"KS7", "Insert of an existing id is [ErrExists]; over quota is [ErrQuota], decided atomically with the insert, across processes.", insertCases()},
		{"KS8", "Update of a missing record is [ErrNotFound], of a revoked one [ErrRevoked], with a stale version [ErrConflict]; then nothing is written.", updateCases()},
		{"KS9", "Delete of nothing is nil, of another version [ErrConflict].", deleteCases()},
		{"KS10", "times survive to the microsecond, in UTC.", timeCases()},
		{"KS11", "List is newest first and stable under concurrent writes, with opaque cursors that never leave their filter.", listCases()},
		{"KS12", "a Watcher calls changed() once it listens, and reports every Update and Delete made by any process, or calls changed() when it may have missed one, and once more when it is back in touch. Touch is proven by its own heartbeat coming back, not by the absence of errors.", watchCases()},
		{"KS13", "usage moves no version and wakes no Watcher.", usageCases()},
		{"KS14", "every field of a Record comes back: store the record's own encoding (json.Marshal) and copy into columns only what List filters on. Document that changing those columns by hand revokes nothing.", fieldCases()},
		{"KS15", "a mutation that a driver or a retry sends twice answers as if sent once: [Record.Op] tells it apart from somebody else's.", resendCases()},
		{"KS16", "a RateStore decides each Take atomically, across processes and by one clock; what it refuses adds nothing.", rateCases()},
		{"T-121", "what a text holds changes nothing: it comes back byte for byte and matches nothing but itself.", payloadCases()},
	}
}
