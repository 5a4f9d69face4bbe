// Package bulk imports many keys that exist already from one file.
//
//	report, err := bulk.Import(ctx, keys, file, bulk.Config{Format: bulk.CSV, DryRun: true})
//
// Each line is a key, by its text or by the SHA-256 of that, or a client with the
// hash of its secret:
//
//	key,owner,name,scopes
//	6aa0fa0712ab34cd56ef7890abcdef12,acme,shop,events:write events:read
//
//	{"sha256":"9f86d081…0a08","owner":"acme","scopes":["events:write"]}
//	{"kind":"client","id":"shop1","hash":"$2b$10$…","owner":"acme"}
//
// The members, or columns, are key, sha256 (64 hex digits), kind ("api_key" or
// "client"), id and hash (of a client), owner, name, type, env, scopes (in CSV
// separated by spaces), not_before and expires (RFC 3339), and meta (in CSV a column
// meta.<name> for each). Keys with a slow hash (bcrypt, argon2id) cannot be
// imported: nobody could find them by what a request shows. Clients can, since a
// request names them.
//
// # What happens to a file with mistakes
//
// The whole file is read and checked before anything is written, and if a line is
// refused nothing is imported, unless [Config.SkipRefused] says otherwise. An import
// that was interrupted is repeated: what is there already is counted, and left as it
// is.
package bulk
