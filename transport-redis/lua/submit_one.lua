-- submit_one: adds one ordinary call (part/ordinary_submits.lua tells which those are) to a function whose
-- group stands, and declines any other. The caller waits for this script: it is given no more than it needs.
--
-- Keys:      1 stream of calls, 2 open hash, 3 parked hash, 4 the call's result
-- Arguments: 1 the group's name, 2 the function's name, 3 milliseconds from the one that it is now until the
--            deadline, 4 reply-to, 5 the most calls that may be open, at least one, 6 call, 7 input
-- Replies 1, or nothing where it declines: nothing was written, and `submit` is to look at the call.
-- Validates before its first write: open hash, parking and result (is the id new?), the number of open calls,
-- the group, and that open hash and stream have their types. Refused where memory is out, by the server,
-- before the script runs.
local call, id = redis.call, ARGV[6]
-- Where little is under way, one question tells that the id is new.
local opened = 0
if call('EXISTS', KEYS[2], KEYS[3], KEYS[4]) > 0 then
  opened = call('HLEN', KEYS[2])
  if call('EXISTS', KEYS[3], KEYS[4]) > 0 or call('HEXISTS', KEYS[2], id) == 1 then
    return false
  end
end
local streamed = call('XLEN', KEYS[1])
if opened + streamed > 0 and (opened - ARGV[5] >= 0 or streamed - ARGV[5] >= 0)
  -- The cheapest question that only a group answers: what a consumer holds that is not there.
  or redis.pcall('XPENDING', KEYS[1], ARGV[1], '-', '-', '1', '').err
then
  return false
end
local clock = call('TIME')
local now_ms = clock[1] .. string.sub('00000' .. clock[2], -6, -4)
local deadline_ms = string.format('%u', now_ms + ARGV[3])
-- `%.0f` would take twice as long. A server of 32 bits writes fewer digits than there are.
if #deadline_ms ~= #now_ms then
  return false
end
local entry = add_first(KEYS[1], ARGV[2], id, ARGV[7], now_ms, deadline_ms, ARGV[4])
call('HSET', KEYS[2], id,
  deadline_ms .. '000 1 ' .. entry .. ' ' .. no_cancel(opened + 1, ARGV[4]) .. ' - ' .. ARGV[4])
return 1
