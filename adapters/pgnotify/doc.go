// Package pgnotify is sqlstore on PostgreSQL, with changes that are pushed: what one process revokes the others hear of
// within milliseconds, by LISTEN and NOTIFY, and not within a second, by asking.
//
//	db, err := sql.Open("pgx", "postgres://app@db.internal/app?target_session_attrs=read-write")
//	err = pgnotify.Migrate(ctx, db) // instead of sqlstore.Migrate
//	store, err := pgnotify.New(ctx, db, pgnotify.Config{})
//	keys, err := keystore.New(store, keystore.Config{})
//
// # When to use it
//
// When a revoked key has to stop working everywhere at once, and the database is PostgreSQL. Where a second is soon enough
// take sqlstore: it needs no trigger, no connection that is always open and no driver of a certain name, and also
// serves CockroachDB, which has no NOTIFY. (A shorter PollInterval is another way: at 100 ms a process sends ten queries a
// second.) Redis instead of PostgreSQL is redisstore's.
//
// It reads and writes the tables of sqlstore. Processes with sqlstore and with this package can share them: a trigger on
// the change counter notifies, so that none can forget to, not even a person who deletes a record by hand. Migrate as soon
// as the first process shall listen.
//
// # What it guarantees
//
// The tests run on PostgreSQL 15. A [Store] keeps all duties of [keystore.KeyStore], KS1 to KS15, as sqlstore does. A notification carries nothing: it
// makes Watch ask at once what has changed, which it otherwise asks each PollInterval of [Config.Store], 1 s unless set.
// So a notification that is lost, late, doubled or forged does no harm, and whatever was changed while nobody listened is
// told by its id as soon as somebody does; nothing has to be forgotten. With no notifications at all it is sqlstore.
//
// Whether it hears is proven, not assumed: a Watch notifies itself each [Config.Heartbeat], through the pool of the store,
// and looks for it on the connection that listens. [New] does so once and refuses a pool that is deaf. A Watch that gets
// deaf later goes on by polling, says why to [Config.OnListenError], and takes another connection: after a half-open one
// within two heartbeats, after an error at once.
//
// # Poolers
//
// A pooler that hands out a connection per transaction takes LISTEN, answers that all is well, and passes on nothing:
// PgBouncer with pool_mode=transaction or statement, and most others. Give [Config.ListenOn] a pool that passes it by; the
// store itself may go through it, under the conditions that sqlstore states:
//
//	direct, err := sql.Open("pgx", "postgres://app@db.internal:5432/app") // and not the pooler's 6432
//	direct.SetMaxOpenConns(2)
//	store, err := pgnotify.New(ctx, db, pgnotify.Config{ListenOn: direct})
//
// # What it costs
//
// Each Watch keeps one connection of its pool. For each change, or for many that come at once, every Watch sends two
// queries by primary key; and one for each PollInterval, and a notification for each heartbeat.
//
// PostgreSQL lets transactions that notify commit one after the other, in all databases of a server. Those that update or
// delete records do that anyway, for the sake of the counter; those of an app that uses NOTIFY itself then wait for them,
// too. With eight listeners an Update takes as long as with sqlstore, and up to half as long again when eight write at
// once. Inserts, lookups and the counting of uses notify nobody.
//
// Notifications wait in a queue of 8 GB until every session that listens, of any program, has taken them; one that
// listens and then stays in a transaction keeps them there. If it is full, transactions that notify fail: then no key can
// be revoked. Look at pg_notification_queue_usage(), and set idle_in_transaction_session_timeout.
//
// Whoever may connect to the database may notify, and so make every Watch ask. That is all it brings about.
package pgnotify
