package sqlstore_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"

	"github.com/claviger-go/claviger/adapters/sqlstore"
	"github.com/claviger-go/claviger/keystore"
)

// With the driver of the app's choice: import _ "github.com/jackc/pgx/v5/stdlib".
func Example() { //nolint:testableexamples // it needs a server
	ctx := context.Background()
	db, err := sql.Open("pgx", "postgres://app@db.internal/app?target_session_attrs=read-write")
	if err != nil {
		log.Fatal(err)
	}
	if err := sqlstore.Migrate(ctx, db, sqlstore.PostgreSQL); err != nil {
		log.Fatal(err)
	}
	store, err := sqlstore.New(ctx, db, sqlstore.PostgreSQL, sqlstore.Config{})
	if err != nil {
		log.Fatal(err)
	}
	keys, err := keystore.New(store, keystore.Config{})
	if err != nil {
		log.Fatal(err)
	}
	issued, err := keys.Issue(ctx, keystore.Spec{Owner: "acct_1", Name: "Production Integration"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(issued.Credential.Reveal()) // shown once
}
