package memstore_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/claviger-go/claviger/adapters/memstore"
	"github.com/claviger-go/claviger/keystore"
)

// A service hands the store to keystore.New and leaves it alone. This is what happens behind it.
func Example() {
	ctx := context.Background()
	s := memstore.New()
	now := time.Date(2026, time.November, 22, 12, 0, 0, 0, time.UTC)
	two := keystore.Quota{Max: 2, Now: now}

	for n, id := range []string{"first", "second", "third"} {
		err := s.Insert(ctx, keystore.Record{
			ID: id, Version: 1, Kind: keystore.KindAPIKey, Owner: "acct_1", Created: now.Add(time.Duration(n) * time.Second),
		}, two)
		fmt.Println(id, "over quota:", errors.Is(err, keystore.ErrQuota))
	}

	page, err := s.List(ctx, keystore.Filter{Owner: "acct_1"})
	if err != nil {
		fmt.Println(err)
	}
	for _, r := range page.Records {
		fmt.Println(r.Created.Format(time.TimeOnly), r.ID)
	}

	// Output:
	// first over quota: false
	// second over quota: false
	// third over quota: true
	// 12:00:01 second
	// 12:00:00 first
}
