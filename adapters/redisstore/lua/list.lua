-- Looks at some records of an index, from the newest on, and returns where it stopped, '' at the end, and after that
-- place and value of each that matches.
--
-- KEYS[1] the index; KEYS[2] a key that does not exist: while the slot is moved, a cluster refuses the script for it
-- rather than run it where records are not yet
-- ARGV[1] the prefix of all keys; ARGV[2] the bound to begin under; ARGV[3] how many are wanted; ARGV[4] how many to
-- look at; the filter, '' for any: ARGV[5] kind, ARGV[6] type, ARGV[7] owner, ARGV[8] parent, ARGV[9] the instant before
-- which they expired

local base, wanted, stride = ARGV[1], tonumber(ARGV[3]), tonumber(ARGV[4])
local kind, type, owner, parent, before = ARGV[5], ARGV[6], ARGV[7], ARGV[8], ARGV[9]

local function matches(h)
  return (kind == '' or kind == h.kind)
    and (type == '' or type == h.type)
    and (owner == '' or owner == h.owner)
    and (parent == '' or parent == h.parent)
    and (before == '' or (h.expires ~= 'never' and h.expires < before))
end

local places = redis.call('ZREVRANGEBYLEX', KEYS[1], ARGV[2], '-', 'LIMIT', 0, stride)
local found = { #places == stride and places[stride] or '' }
for _, place in ipairs(places) do
  local value = redis.call('GET', base .. ':record:' .. string.sub(place, 17))
  if value and matches(header(value)) then
    found[#found + 1] = place
    found[#found + 1] = value
    wanted = wanted - 1
    if wanted == 0 then
      found[1] = place
      break
    end
  end
end
return found
