package storetest

import (
	"cmp"
	"context"
	"errors"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/claviger-go/claviger/keystore"
)

func brokenLists() []brokenStore {
	listing := func(list func(ctx context.Context, s full, f keystore.Filter) (keystore.Page, error)) Factory {
		return oneHandle(func(s full) keystore.KeyStore { return listsOtherwise{s, list} })
	}
	filtering := func(matches func(f *keystore.Filter, r *keystore.Record) bool) Factory {
		return listing(func(ctx context.Context, s full, f keystore.Filter) (keystore.Page, error) {
			page, err := s.List(ctx, keystore.Filter{After: f.After, Limit: f.Limit})
			page.Records = slices.DeleteFunc(page.Records, func(r keystore.Record) bool { return !matches(&f, &r) })
			return page, err
		})
	}
	filteringOwner := func(same func(asked, owner string) bool) Factory {
		return filtering(func(f *keystore.Filter, r *keystore.Record) bool {
			others := *f
			others.Owner = ""
			return matches(&others, r) && (f.Owner == "" || same(f.Owner, r.Owner))
		})
	}
	return []brokenStore{
		{"pages by offset", listing(pageByOffset), "KS11/CursorOutlivesItsRecord KS11/StableWhileInserting KS11/StableWhileDeleting", "KS11/StableUnderLoad"},
		{"cursors repeat their record", listing(func(ctx context.Context, s full, f keystore.Filter) (keystore.Page, error) {
			page, err := s.List(ctx, f)
			if f.After != "" && page.Next != "" && len(page.Records) > 1 {
				page.Records[len(page.Records)-1] = page.Records[0]
			}
			return page, err
		}), `
			KS10/OrderOfCreation KS11/FiltersCombined KS11/FilterAll KS11/NewestFirst KS11/EqualTimes
			KS11/Limits KS11/Cursors KS11/CursorOutlivesItsRecord KS11/CursorServesElsewhere
			KS11/CursorWithAnotherLimit KS11/StableWhileInserting KS11/StableWhileDeleting
			KS11/StableWhileUpdating`, "KS11/StableUnderLoad"},
		{"hides the revoked", listing(func(ctx context.Context, s full, f keystore.Filter) (keystore.Page, error) {
			page, err := s.List(ctx, f)
			page.Records = slices.DeleteFunc(page.Records, func(r keystore.Record) bool { return !r.Revoked.IsZero() })
			return page, err
		}), `
			KS11/DeadOnesToo KS11/FilterAll KS11/FilterKind KS11/FilterParent KS11/FilterParentAndOwner
			KS14/EveryFieldThroughList`, ""},
		{"oldest first", listing(func(ctx context.Context, s full, f keystore.Filter) (keystore.Page, error) {
			page, err := s.List(ctx, f)
			slices.Reverse(page.Records)
			return page, err
		}), `
			KS10/OrderOfCreation KS11/FilterFollowsUpdates KS11/FiltersCombined KS11/FilterAll KS11/FilterOwner
			KS11/FilterKind KS11/FilterType KS11/FilterParent KS11/FilterExpiredBefore KS11/NewestFirst
			KS11/EqualTimes KS11/ManyRecords KS11/CursorOutlivesItsRecord KS11/StableWhileInserting
			KS11/StableWhileDeleting KS11/StableWhileUpdating`, "KS11/StableUnderLoad"},
		{"no limit", listing(func(ctx context.Context, s full, f keystore.Filter) (keystore.Page, error) {
			page, err := s.List(ctx, f)
			for err == nil && f.Limit > keystore.MaxPage && page.Next != "" {
				var more keystore.Page
				f.After = page.Next
				more, err = s.List(ctx, f)
				page.Records, page.Next = append(page.Records, more.Records...), more.Next
			}
			return page, err
		}), "KS11/Limits", ""},
		{"ties in no order", listing(func(ctx context.Context, s full, f keystore.Filter) (keystore.Page, error) {
			page, err := s.List(ctx, f)
			slices.SortStableFunc(page.Records, func(a, b keystore.Record) int {
				return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(a.Op, b.Op))
			})
			return page, err
		}), "KS11/EqualTimes", ""},
		{"malformed cursors start over", listing(func(ctx context.Context, s full, f keystore.Filter) (keystore.Page, error) {
			page, err := s.List(ctx, f)
			if err != nil && ctx.Err() == nil {
				f.After = ""
				return s.List(ctx, f)
			}
			return page, err
		}), "KS11/MalformedCursors", ""},
		{"cursors carry their filter", listing(func(ctx context.Context, s full, f keystore.Filter) (keystore.Page, error) {
			if owner, after, ok := strings.Cut(f.After, "|"); ok {
				f.Owner, f.After = owner, after
			}
			page, err := s.List(ctx, f)
			if page.Next != "" {
				page.Next = f.Owner + "|" + page.Next
			}
			return page, err
		}), "KS11/ForeignCursors", ""},
		{"owners without case", filteringOwner(strings.EqualFold), `
			KS11/FilterIsExact T-121/NumbersInFilters T-121/CaseInFilters T-121/AccentsInFilters
			T-121/LongestTexts`, ""},
		{"owners as patterns", filteringOwner(func(pattern, owner string) bool {
			ok, err := path.Match(pattern, owner)
			return ok && err == nil || pattern == owner
		}), `
			KS11/FilterIsExact T-121/QuotesInFilters T-121/CommentsInFilters T-121/WildcardsInFilters
			T-121/BackslashesInFilters T-121/PlaceholdersInFilters T-121/RedisKeysInFilters T-121/JSONInFilters`, ""},
		{"expiry is inclusive", filtering(func(f *keystore.Filter, r *keystore.Record) bool {
			plain := *f
			plain.ExpiredBefore = plain.ExpiredBefore.Add(1)
			return matches(f, r) || !f.ExpiredBefore.IsZero() && matches(&plain, r)
		}), `
			KS10/ExpiryInFilters KS11/FilterFollowsUpdates KS11/FiltersCombined
			KS11/FilterExpiredBeforeIsExclusive`, ""},
		{"never counts as expired", filtering(func(f *keystore.Filter, r *keystore.Record) bool {
			plain := *r
			if r.Expires.IsZero() {
				plain.Expires = r.Expires.Add(1)
			}
			return matches(f, &plain)
		}), `
			KS10/ExpiryInFilters KS11/FilterFollowsUpdates KS11/FiltersCombined
			KS11/FilterExpiredBeforeIsExclusive KS11/FilterExpiredBefore KS11/FilterExpiredBeforeAny
			KS11/FilterExpiredOfAnOwner`, ""},
	}
}

type listsOtherwise struct {
	full

	list func(ctx context.Context, s full, f keystore.Filter) (keystore.Page, error)
}

func (s listsOtherwise) List(ctx context.Context, f keystore.Filter) (keystore.Page, error) {
	return s.list(ctx, s.full, f)
}

// pageByOffset has the number of records that were listed before as cursor.
func pageByOffset(ctx context.Context, s full, f keystore.Filter) (keystore.Page, error) {
	offset := 0
	if f.After != "" {
		var err error
		if offset, err = strconv.Atoi(f.After); err != nil || offset < 0 {
			return keystore.Page{}, errors.New("malformed cursor")
		}
	}
	limit := min(cmp.Or(f.Limit, 100), keystore.MaxPage)
	var all []keystore.Record
	for f.After, f.Limit = "", keystore.MaxPage; ; {
		page, err := s.List(ctx, f)
		if err != nil {
			return keystore.Page{}, err
		}
		all = append(all, page.Records...)
		if f.After = page.Next; f.After == "" {
			break
		}
	}
	rest := all[min(offset, len(all)):]
	if len(rest) <= limit {
		return keystore.Page{Records: rest}, nil
	}
	return keystore.Page{Records: rest[:limit], Next: strconv.Itoa(offset + limit)}, nil
}
