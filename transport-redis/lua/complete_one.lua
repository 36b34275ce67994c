-- complete_one: decides one ordinary success (part/ordinary_successes.lua tells which those are) of a function
-- that keeps its stream, and declines any other. The caller waits for this script: it is given no more than it
-- needs.
--
-- Keys:      1 stream of calls, 2 open hash, 3 set of active consumers, 4 the call's result
-- Arguments: 1 the group's name, 2 prefix of reply streams, 3 call, 4 entry at hand, 5 how its record begins
--            (see part/record.lua); then, where they are not one, 6 attempts
-- Replies 1, or nothing where it declines: nothing was written, and `decide` is to look at the call.
-- Validates before its first write: where the call stands and its deadline, that somebody serves the function,
-- that no outcome stands, and that the open hash has its type. The stream's is told by the first write to it,
-- the acknowledgement, which fails on any other before it has changed something.
local KEYS, ARGV, call = KEYS, ARGV, redis.call
local calls, open, result, id = KEYS[1], KEYS[2], KEYS[4], ARGV[3]
local deadline, entry, caller =
  string.match(call('HGET', open, id) or '', '^(%d+) %d+ (%S+) %d+ %S+ ?(.*)$')
-- Somebody serves the function (1), and no outcome stands (2).
if entry ~= ARGV[4] or call('EXISTS', KEYS[3], result, result) ~= 1 then
  return false
end
local clock = call('TIME')
local micros = clock[2]
if #micros < 6 then
  micros = string.sub('00000' .. micros, -6)
end
local now = clock[1] .. micros
-- As texts: a number of each would have to be read. Both have as many digits until the year 2286.
if #deadline ~= #now or deadline <= now then
  return false
end
local text = ARGV[5] .. UNTIL_TIME .. string.sub(now, 1, -4) .. SINCE_TIME .. (ARGV[6] or '1') .. '}'
call('XACK', calls, ARGV[1], entry)
call('SET', result, text, 'PX', '300000')
call('XDEL', calls, entry)
call('HDEL', open, id)
if caller ~= '' then
  redis.pcall('XADD', ARGV[2] .. caller, 'NOMKSTREAM', '*', 'record', text)
end
return 1
