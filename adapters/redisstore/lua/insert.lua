-- ARGV[4] the value; ARGV[5] Quota.Max; ARGV[6] the first instant after Quota.Now

local new, old = header(ARGV[4]), stored()
if old then
  if old.op ~= '' and old.op == new.op then
    return 'OK'
  end
  return 'EXISTS'
end

local max = tonumber(ARGV[5])
if max ~= 0 and redis.call('ZLEXCOUNT', base .. ':live:' .. new.quota, '[' .. ARGV[6], '+') >= max then
  return 'QUOTA'
end

redis.call('SET', KEYS[1], ARGV[4])
index(nil, new)
return done()
