package pgnotify_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"github.com/claviger-go/claviger/adapters/pgnotify"
	"github.com/claviger-go/claviger/keystore"
)

func Example() { //nolint:testableexamples // it needs a server
	ctx := context.Background()
	db, err := sql.Open("pgx", "postgres://app@db.internal/app?target_session_attrs=read-write")
	if err != nil {
		log.Fatal(err)
	}
	if err := pgnotify.Migrate(ctx, db); err != nil {
		log.Fatal(err)
	}
	store, err := pgnotify.New(ctx, db, pgnotify.Config{
		OnListenError: func(err error) { log.Print(err) }, // slower, not wrong
	})
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

	if err := errors.Join(keys.Close(), db.Close()); err != nil { // in this order: a Watch keeps a connection of db
		log.Fatal(err)
	}
}

// With a pooler that hands out a connection per transaction, Watch listens past it.
func ExampleConfig_pooler() { //nolint:testableexamples // it needs a server
	ctx := context.Background()
	db, err := sql.Open("pgx", "postgres://app@pgbouncer.internal:6432/app")
	if err != nil {
		log.Fatal(err)
	}
	direct, err := sql.Open("pgx", "postgres://app@db.internal:5432/app")
	if err != nil {
		log.Fatal(err)
	}
	direct.SetMaxOpenConns(2)
	store, err := pgnotify.New(ctx, db, pgnotify.Config{ListenOn: direct})
	if err != nil {
		log.Fatal(err) // names the pooler, if this one goes through it, too
	}
	_ = store
}
