// Package redisstore keeps records in Redis 7.0 or newer, for any number of processes on any number of machines.
//
//	client := redis.NewClient(&redis.Options{
//		Addr: "redis.internal:6379", Username: "claviger", Password: password, TLSConfig: &tls.Config{},
//		ContextTimeoutEnabled: true, // a Lookup ends at its deadline without a goroutine to watch it
//		MaxRetries:            1,    // 3 retries of 5 s each are long for a request that waits
//	})
//	store, err := redisstore.New(ctx, client, redisstore.Config{})
//	keys, err := keystore.New(store, keystore.Config{})
//
// # When to use it
//
// Where Redis runs already and is kept like a database: with an append-only file, a replica and backups. A revocation is
// seen by every other process within milliseconds. Where records have to survive anything that happens, and a revoked
// key must stay revoked even so, sqlstore on a database that commits synchronously is the safer place; read on.
//
// # What it guarantees
//
// A [Store] is a [keystore.AdminStore], a [keystore.Watcher], a [keystore.UsageStore] and a [keystore.RateStore], and
// keeps all duties of [keystore.KeyStore], KS1 to KS16, as long as one primary serves the keys. Every mutation is one Lua script: it happens
// entirely or not at all, counts the quota and publishes the change within itself, and knows its own repetition, since a
// client sends a script again when the reply is lost. For a minute it does so whatever others have done in between.
//
// Of keys with a [keystore.Rate] each request costs a script of about 15 µs. What it counts is gone when the server forgets it.
//
// No record has a time to live in Redis: an expired one is there until it is pruned. Keys hold ids, and digests
// of owners and parents; values hold what a [keystore.Record] holds, which is nothing to log in with. Changing a value
// by hand is no way to revoke a key: nobody hears of it, and the line before the JSON is not the record.
//
// # One prefix, one shard
//
// All keys of a Store begin with {Config.Prefix}, a hash tag: on a Redis Cluster they are on one shard, or a quota and
// an insert could not be one step. So a store is as large and as quick as one primary. A record takes about 1 kB of its
// memory with all indexes, a mutation 20 µs of its time, a Lookup 1 µs; and of Lookups a [keystore.Keys] makes one per
// key and MaxStaleness. Whoever needs more takes a prefix per tenant or region. While the slot is being moved to another
// shard, mutations and List answer errors, and Lookup goes on.
//
// Scripts also touch keys that they do not name in KEYS, all of them in that slot: Redis and Valkey allow it, a proxy
// that splits commands by key may not. Databases (SELECT) are for keys only: channels are the server's, so stores with
// one prefix in two databases wake each other, and do no more harm.
//
// # What can bring a revoked key back to life
//
// By default Redis answers before its disk and its replicas have what it says. After a crash it knows, with
//
//   - appendonly yes, appendfsync always: everything that was answered. Take this; each script costs one fsync.
//   - appendfsync everysec: everything, if only Redis died. If the machine did, up to 2 s are lost: a key revoked or
//     deleted then works again.
//   - appendfsync no: the same with about 30 s, whenever the kernel writes.
//   - snapshots without an append-only file: whatever happened since the last one. Keys revoked since then work again.
//   - neither: nothing is left, so every key is unknown.
//
// The same goes for a backup that is restored: revoke again what was revoked since.
//
// A failover promotes a replica that may lack the last writes, under Sentinel and in a Cluster alike, with any of these
// settings. With Config.Replicas a revocation is reported as done only when as many replicas have it in memory (WAIT);
// else it is an error, though the primary has carried it out, and [keystore.Keys] says that it cannot tell. This makes a
// loss unlikely and not impossible: a replica that has it may still not be the one that is promoted, and may lose it
// itself. Set it to the number of replicas to exclude the former. A caller that revokes again after such an error is told
// by Keys that the key is revoked, as it is; Keys does not ask the store to wait again.
//
// During a partition a primary on the wrong side goes on answering those on its side, until cluster-node-timeout or a
// Sentinel stops it: they do not see what is revoked on the other one. min-replicas-to-write and a short
// cluster-node-timeout bound that. A key that this brought back can be revoked again.
//
// # What is refused
//
// [New] refuses what would break these promises: clients that read from replicas (ReadOnly, RouteByLatency,
// RouteRandomly) or cache on their side, a Ring, which looks for its keys on other servers when one is gone, and any
// other type, which cannot be asked; a server that is a replica, so also a Failover client with ReplicaOnly that has
// found one; a maxmemory-policy other than noeviction, which drops records; a server older than 7.0, whose scripts could
// not revoke when memory is full. (Valkey calls itself a Redis of 7.2 and is accepted.) The policy is read from INFO, or
// by CONFIG where INFO leaves it out; a host that tells neither has to be believed. The server is asked once: one that
// is set up otherwise later, or a replica that was all along, goes unnoticed.
//
// A server whose memory is full refuses new records and all other updates, but not revocations and deletions.
//
// A user of its own needs, besides connecting: ~{prefix}* &{prefix}:* +get +mget +hmget +set +del +hdel +hget +hgetall +hset
// +hincrby +exists +zadd +zrem +zrange +zlexcount +zrevrangebylex +time +eval +evalsha +publish +subscribe +info, and +wait for
// Config.Replicas.
//
// # Limits of the client
//
// A call ends with its ctx, while the client may go on with it until its own timeouts (DialTimeout and ReadTimeout, 5 s
// each unless set) in a goroutine that then ends. No other goroutine is started but those of [Store.Watch], and there is
// nothing to close.
package redisstore
