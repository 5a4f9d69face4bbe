-- ARGV[4] the version; 0: whatever it is

local old = stored()
if not old then
  return 'MISSING'
end
if ARGV[4] ~= '0' and ARGV[4] ~= old.version then
  return 'CONFLICT'
end

redis.call('DEL', KEYS[1])
redis.call('DEL', base .. ':usage:' .. id)
index(old, nil)
publish()
return done()
