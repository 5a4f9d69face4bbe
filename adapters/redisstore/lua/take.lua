-- KEYS[1] the instant at which nothing is owed any more, in µs; missing: nothing is
-- ARGV[1] the cost, ARGV[2] the limit, in µs
--
-- Returns what is owed then, and 1 if the cost was added. A float holds every microsecond until the year 2255.

local cost, limit = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

-- More than the limit is owed after it was lowered, or the clock set back.
local stored = tonumber(redis.call('GET', KEYS[1])) or now
local owed = math.min(math.max(stored - now, 0), limit)
local taken = 0
if owed + cost <= limit then
  owed, taken = owed + cost, 1
end
if owed > 0 and now + owed ~= stored then
  redis.call('SET', KEYS[1], string.format('%.0f', now + owed), 'PX', math.ceil(owed / 1000))
end
return { owed, taken }
