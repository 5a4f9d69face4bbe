package redisstore

import (
	_ "embed"

	"github.com/redis/go-redis/v9"
)

//go:embed lua/header.lua
var luaHeader string

//go:embed lua/mutation.lua
var luaMutation string

//go:embed lua/insert.lua
var luaInsert string

//go:embed lua/update.lua
var luaUpdate string

//go:embed lua/delete.lua
var luaDelete string

//go:embed lua/usage.lua
var luaUsage string

//go:embed lua/list.lua
var luaList string

//go:embed lua/take.lua
var luaTake string

//go:embed lua/beat.lua
var luaBeat string

// What a script may do is on its first line. Without a flag it is refused when memory is full, before it has written
// anything; what ends a key's life has to be possible even then.
const (
	mayWrite   = "#!lua\n"
	mayWriteOn = "#!lua flags=allow-oom\n"
	mayRead    = "#!lua flags=no-writes\n"
)

type scripts struct {
	insert, update, revoke, delete, usage, list, take, beat *redis.Script
}

func newScripts() scripts {
	mutation := luaHeader + luaMutation
	return scripts{
		insert: redis.NewScript(mayWrite + mutation + luaInsert),
		update: redis.NewScript(mayWrite + mutation + luaUpdate),
		revoke: redis.NewScript(mayWriteOn + mutation + luaUpdate),
		delete: redis.NewScript(mayWriteOn + mutation + luaDelete),
		usage:  redis.NewScript(mayWrite + mutation + luaUsage),
		list:   redis.NewScript(mayRead + luaHeader + luaList),
		take:   redis.NewScript(mayWrite + luaTake),
		beat:   redis.NewScript(mayWriteOn + luaBeat),
	}
}

// What the scripts answer. Everything else is an error.
const (
	replyOK       = "OK"
	replyMissing  = "MISSING"
	replyExists   = "EXISTS"
	replyQuota    = "QUOTA"
	replyRevoked  = "REVOKED"
	replyConflict = "CONFLICT"
)
