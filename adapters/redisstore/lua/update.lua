-- ARGV[4] the value; ARGV[5] the version it replaces

local new, old = header(ARGV[4]), stored()
if not old then
  return 'MISSING'
end
if old.version == new.version and old.op ~= '' and old.op == new.op then
  return 'OK'
end
if old.state == 'revoked' then
  return 'REVOKED'
end
if old.version ~= ARGV[5] then
  return 'CONFLICT'
end

redis.call('SET', KEYS[1], ARGV[4])
index(old, new)
publish()
return done()
