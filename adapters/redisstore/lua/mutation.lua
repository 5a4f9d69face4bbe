-- Begins every script that writes.
--
-- KEYS[1] what is written; KEYS[2] remembers that this very call has run
-- ARGV[1] the prefix of all keys; ARGV[2] how long to remember, in ms; ARGV[3] the record's id

local base, memory, id = ARGV[1], ARGV[2], ARGV[3]

-- A client that got no reply sends the call again. It is answered as the first time, and written once more so that a
-- WAIT on another connection covers it.
local sent = redis.call('GET', KEYS[2])
if sent then
  redis.call('SET', KEYS[2], sent, 'PX', memory)
  return sent
end

local function done()
  redis.call('SET', KEYS[2], 'OK', 'PX', memory)
  return 'OK'
end

-- index writes where the record is to be found, and removes it from where it was. Either header may be missing.
local function index(old, new)
  local function places(h)
    if not h then
      return {}
    end
    local at = h.created .. id
    local found = { [base .. ':all'] = at }
    if h.owner ~= '' then
      found[base .. ':owner:' .. h.owner] = at
    end
    if h.parent ~= '' then
      found[base .. ':parent:' .. h.parent] = at
    end
    if h.expires ~= 'never' then
      found[base .. ':expiring'] = h.expires .. at
    end
    if h.state == 'live' then
      found[base .. ':live:' .. h.quota] = h.expires .. id
    end
    return found
  end

  local before, after = places(old), places(new)
  for key, member in pairs(before) do
    if after[key] ~= member then
      redis.call('ZREM', key, member)
    end
  end
  for key, member in pairs(after) do
    if before[key] ~= member then
      redis.call('ZADD', key, 0, member)
    end
  end
end

local function stored()
  local value = redis.call('GET', KEYS[1])
  return value and header(value)
end

local function publish()
  redis.call('PUBLISH', base .. ':changes', id)
end
