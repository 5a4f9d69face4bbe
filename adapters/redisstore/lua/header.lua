-- Begins every script that looks at records. A value is one line for scripts, then the record's own encoding, which
-- they leave alone.

local line = '^1,' .. string.rep('([^,\n]*),', 9) .. '([^,\n]*)\n'

local function header(value)
  local version, op, state, created, expires, kind, type, owner, parent, quota = string.match(value, line)
  if not version then
    error({ err = 'ERR a record was written in a format that this version of redisstore does not know' })
  end
  return {
    version = version, op = op, state = state, created = created, expires = expires,
    kind = kind, type = type, owner = owner, parent = parent, quota = quota,
  }
end
