package bboltstore_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/claviger-go/claviger/examples/bboltstore"
	"github.com/claviger-go/claviger/keystore"
)

func Example() {
	dir := must(os.MkdirTemp("", "bboltstore-"))
	defer func() { _ = os.RemoveAll(dir) }()

	store := must(bboltstore.Open(filepath.Join(dir, "keys.db")))
	defer store.Close()
	keys := must(keystore.New(store, keystore.Config{}))
	defer keys.Close()

	ctx := context.Background()
	must(keys.Issue(ctx, keystore.Spec{Owner: "acme", Name: "Deploy"}))
	for _, r := range must(keys.List(ctx, keystore.Filter{Owner: "acme"})).Records {
		fmt.Println(r.Owner, r.Name)
	}
	// Output: acme Deploy
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}
