package storetest

import (
	"context"
	"strings"
	"time"

	"github.com/claviger-go/claviger/keystore"
)

func brokenRecords() []brokenStore {
	changing := func(change func(*keystore.Record)) Factory {
		return oneHandle(func(s full) keystore.KeyStore { return changesRecords{s, change} })
	}
	reading := func(change func(*keystore.Record)) Factory {
		return oneHandle(func(s full) keystore.KeyStore { return changesAnswers{s, change} })
	}
	return []brokenStore{
		{"loses a field", changing(func(r *keystore.Record) { r.Limits.DeniedNetworks = nil }), `
			KS14/EveryField KS14/EveryFieldOfARevoked KS14/EveryFieldThroughUpdate KS14/EveryFieldThroughList
			KS14/EachFieldAlone KS14/Largest`, ""},
		{"loses a field's zero", changing(func(r *keystore.Record) {
			if r.Secrets == nil {
				r.Secrets = []keystore.StoredSecret{}
			}
		}), "KS8/ReplacesAll KS14/EachFieldAlone KS14/NothingSet", ""},
		{"keeps milliseconds", changing(func(r *keystore.Record) {
			for _, at := range []*time.Time{&r.Created, &r.NotBefore, &r.Expires} {
				*at = at.Truncate(time.Millisecond)
			}
		}), `
			KS10/NanosecondsAreCut KS10/EpochAndAMicrosecond KS10/Microseconds KS10/LastMicrosecondOfASecond
			KS10/ZoneEast KS10/ZoneWest KS10/LeapDay KS10/HourThatComesTwice KS10/Year2106 KS10/Year2262
			KS10/Year9999 KS10/OrderOfCreation KS10/ExpiryInFilters KS10/ExpiryInQuotas`, ""},
		{"rounds to microseconds", changing(func(r *keystore.Record) { r.Expires = r.Expires.Round(time.Microsecond) }), "KS10/NanosecondsAreCut", ""},
		{"counts nanoseconds in 63 bits", changing(func(r *keystore.Record) {
			if !r.NotBefore.IsZero() {
				r.NotBefore = time.Unix(0, r.NotBefore.UnixNano())
			}
		}), "KS10/Year2262 KS10/Year9999", ""},
		{"takes 1970 for never", changing(func(r *keystore.Record) {
			if r.Expires.UnixMicro() == 0 {
				r.Expires = time.Time{}
			}
		}), "KS7/QuotaIgnoresExpiredIn1970 KS10/Epoch KS10/ExpiryInFilters KS10/ExpiryInQuotas", ""},
		{"answers in another zone", reading(func(r *keystore.Record) { r.Created = r.Created.In(time.FixedZone("east", 3600)) }), `
			KS10/Zero KS10/Epoch KS10/EpochAndAMicrosecond KS10/Year1970InTheWest KS10/WholeSecond KS10/Tenth
			KS10/Microseconds KS10/LastMicrosecondOfASecond KS10/ZoneEast KS10/ZoneWest KS10/LeapDay
			KS10/HourThatComesTwice KS10/Year2038 KS10/Year2106 KS10/Year2262 KS10/Year9999`, ""},
		{"cuts owners", changing(func(r *keystore.Record) { r.Owner = r.Owner[:min(len(r.Owner), 255)] }), "KS14/Largest T-121/LongestTexts", ""},
		{"trims texts", changing(func(r *keystore.Record) { r.Name = strings.TrimRight(r.Name, " ") }), `
			T-121/Comments T-121/CommentsInFilters T-121/Numbers T-121/NumbersInFilters T-121/Spaces
			T-121/SpacesInFilters`, ""},
		{"reads backslashes", reading(func(r *keystore.Record) { r.CreatedBy = strings.ReplaceAll(r.CreatedBy, `\\`, `\`) }), "T-121/Backslashes T-121/BackslashesInFilters", ""},
		{"has three bytes for a character", changing(func(r *keystore.Record) {
			r.Name = strings.Map(func(c rune) rune {
				if c > 0xFFFF {
					return '?'
				}
				return c
			}, r.Name)
		}), `
			KS14/EveryField KS14/EveryFieldOfARevoked KS14/EveryFieldThroughUpdate KS14/EveryFieldThroughList
			KS14/EachFieldAlone KS14/Largest T-121/Invisible T-121/InvisibleInFilters T-121/Emoji
			T-121/EmojiInFilters`, ""},
		{"has no room", changing(func(r *keystore.Record) {
			if len(r.Client.RedirectURIs) > 20 {
				r.Client.RedirectURIs = r.Client.RedirectURIs[:20]
			}
		}), "KS14/Largest", ""},
	}
}

// changesRecords changes what it stores.
type changesRecords struct {
	full

	change func(*keystore.Record)
}

func (s changesRecords) Insert(ctx context.Context, r keystore.Record, q keystore.Quota) error {
	s.change(&r)
	return s.full.Insert(ctx, r, q)
}

func (s changesRecords) Update(ctx context.Context, r keystore.Record) error {
	s.change(&r)
	return s.full.Update(ctx, r)
}

// changesAnswers changes what it reads.
type changesAnswers struct {
	full

	change func(*keystore.Record)
}

func (s changesAnswers) Lookup(ctx context.Context, id string) (keystore.Record, error) {
	r, err := s.full.Lookup(ctx, id)
	if err == nil {
		s.change(&r)
	}
	return r, err
}

func (s changesAnswers) List(ctx context.Context, f keystore.Filter) (keystore.Page, error) {
	page, err := s.full.List(ctx, f)
	for i := range page.Records {
		s.change(&page.Records[i])
	}
	return page, err
}
