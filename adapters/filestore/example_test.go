package filestore_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/claviger-go/claviger/adapters/filestore"
	"github.com/claviger-go/claviger/keystore"
)

func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir) //nolint:errcheck // an example
	path := filepath.Join(dir, "keys.json")

	// A mistyped path is an error.
	_, err = filestore.Open(path, filestore.Config{})
	fmt.Println("without Create:", err != nil)

	// The first run.
	s, err := filestore.Open(path, filestore.Config{Create: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	service, err := keystore.New(s, keystore.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer service.Close()
	issued, err := service.Issue(ctx, keystore.Spec{Owner: "acme", Name: "nightly import"})
	if err != nil {
		fmt.Println(err)
		return
	}

	// Another process, such as an operator's tool, opens the same file.
	other, err := filestore.Open(path, filestore.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	tool, err := keystore.New(other, keystore.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer tool.Close()
	fmt.Println("revoked:", tool.Revoke(ctx, issued.Record.ID, keystore.ReasonRequested) == nil)

	r, err := s.Lookup(ctx, issued.Record.ID)
	fmt.Println(r.Name, r.Revoked.Reason, err)

	// Output:
	// without Create: true
	// revoked: true
	// nightly import requested <nil>
}
