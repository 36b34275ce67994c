-- renew: renews the leases of entries in flight.
--
-- Keys and arguments 1 to 5: see part/frame.lua; 6 consumer; then two for each entry: entry, call.
-- Replies, for each entry that is not the consumer's any more: {position from 0, outcome or empty}.
-- Validates before its first write: who owns each entry.
local consumer = ARGV[6]
local lost, held = {}, {}
for at = 7, #ARGV, 2 do
  if owner(ARGV[at]) == consumer then
    held[#held + 1] = ARGV[at]
  else
    -- An outcome that cannot be read says nothing: the entry is lost all the same.
    local fine, kind = pcall(result_kind, ARGV[at + 1])
    lost[#lost + 1] = { (at - 7) / 2, fine and kind or '' }
  end
end
for at = 1, #held, 500 do
  local ids = { unpack(held, at, math.min(at + 499, #held)) }
  ids[#ids + 1] = 'JUSTID'
  call('XCLAIM', CALLS, GROUP, consumer, 0, unpack(ids))
end
return lost
