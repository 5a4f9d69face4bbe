-- ARGV[4] and on: id, secret, count, first second or '', last second or '', network or ''

local most = '9223372036854775807'
for i = 4, #ARGV, 6 do
  local used, secret, first, last = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 3]), tonumber(ARGV[i + 4])
  if redis.call('EXISTS', base .. ':record:' .. used) == 1 then
    local key = base .. ':usage:' .. used
    local function known(field)
      return tonumber(redis.call('HGET', key, field .. ':' .. secret) or nil)
    end

    local sum = redis.pcall('HINCRBY', key, 'count:' .. secret, ARGV[i + 2])
    if type(sum) == 'table' then
      redis.call('HSET', key, 'count:' .. secret, most)
    end
    local earliest, latest = known('first'), known('last')
    if first and (not earliest or first < earliest) then
      redis.call('HSET', key, 'first:' .. secret, ARGV[i + 3])
    end
    if last and (not latest or latest < last) then
      redis.call('HSET', key, 'last:' .. secret, ARGV[i + 4])
      if ARGV[i + 5] == '' then
        redis.call('HDEL', key, 'network:' .. secret)
      else
        redis.call('HSET', key, 'network:' .. secret, ARGV[i + 5])
      end
    end
  end
end
return done()
