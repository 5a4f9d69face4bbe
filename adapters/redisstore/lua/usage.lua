-- ARGV[4] and on: id, count, last second or ''

local most = '9223372036854775807'
for i = 4, #ARGV, 3 do
  local used, count, last = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2])
  if redis.call('EXISTS', base .. ':record:' .. used) == 1 then
    local sum = redis.pcall('HINCRBY', KEYS[1], 'count:' .. used, count)
    if type(sum) == 'table' then
      redis.call('HSET', KEYS[1], 'count:' .. used, most)
    end
    local known = tonumber(redis.call('HGET', KEYS[1], 'last:' .. used) or nil)
    if last and (not known or known < last) then
      redis.call('HSET', KEYS[1], 'last:' .. used, ARGV[i + 2])
    end
  end
end
return done()
