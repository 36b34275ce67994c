-- submit_one: adds one ordinary call (part/ordinary_submits.lua tells which those are) to a function whose
-- group stands, and declines any other. The caller waits for this script: it is given no more than it needs.
--
-- Keys:      1 stream of calls, 2 open hash, 3 parked hash, 4 the call's result
-- Arguments: 1 the group's name, 2 the function's name, 3 reply-to, 4 call, 5 input; then, where they are not
--            the usual, 6 milliseconds from the one that it is now until the deadline, 7 the most calls that
--            may be open, at least one
-- Replies 1, or nothing where it declines: nothing was written, and `submit` is to look at the call.
-- Validates before its first write: open hash, parking and result (is the id new?), the number of open calls,
-- the group, and that open hash and stream have their types. Refused where memory is out, by the server,
-- before the script runs.
local KEYS, ARGV, call = KEYS, ARGV, redis.call
local calls, open, reply_to, id = KEYS[1], KEYS[2], ARGV[3], ARGV[4]
local until_ms, most = ARGV[6] or '300001', ARGV[7] or '100000'
-- Where little is under way, one question tells that the id is new.
local opened = 0
if call('EXISTS', open, KEYS[3], KEYS[4]) > 0 then
  opened = call('HLEN', open)
  if call('EXISTS', KEYS[3], KEYS[4]) > 0 or call('HEXISTS', open, id) == 1 then
    return false
  end
end
local streamed = call('XLEN', calls)
if opened + streamed > 0 and (opened - most >= 0 or streamed - most >= 0)
  -- The cheapest question that only a group answers: what a consumer holds that is not there.
  or redis.pcall('XPENDING', calls, ARGV[1], '-', '-', '1', '').err
then
  return false
end
local clock = call('TIME')
local micros = clock[2]
if #micros < 6 then
  micros = string.sub('00000' .. micros, -6)
end
local now_ms = clock[1] .. string.sub(micros, 1, 3)
local deadline_ms = string.format('%u', now_ms + until_ms)
-- `%.0f` would take twice as long. A server of 32 bits writes fewer digits than there are.
if #deadline_ms ~= #now_ms then
  return false
end
local entry = add_first(calls, ARGV[2], id, ARGV[5], now_ms, deadline_ms, reply_to)
call('HSET', open, id,
  deadline_ms .. '000 1 ' .. entry .. ' ' .. no_cancel(opened + 1, reply_to) .. ' - ' .. reply_to)
return 1
