-- complete_one: decides one ordinary success (part/ordinary_successes.lua tells which those are) of a function
-- that keeps its stream, and declines any other. The caller waits for this script: it is given no more than it
-- needs.
--
-- Keys:      1 stream of calls, 2 open hash, 3 set of active consumers, 4 the call's result
-- Arguments: 1 the group's name, 2 prefix of reply streams, 3 attempts, 4 call, 5 entry at hand, 6 how its
--            record begins (see part/record.lua)
-- Replies 1, or nothing where it declines: nothing was written, and `decide` is to look at the call.
-- Validates before its first write: where the call stands and its deadline, that somebody serves the function,
-- that no outcome stands, and that the open hash has its type. The stream's is told by the first write to it,
-- the acknowledgement, which fails on any other before it has changed something.
local call, id = redis.call, ARGV[4]
local deadline, entry, caller =
  string.match(call('HGET', KEYS[2], id) or '', '^(%d+) %d+ (%S+) %d+ %S+ ?(.*)$')
-- Somebody serves the function (1), and no outcome stands (2).
if entry ~= ARGV[5] or call('EXISTS', KEYS[3], KEYS[4], KEYS[4]) ~= 1 then
  return false
end
local clock = call('TIME')
local now = clock[1] .. string.sub('00000' .. clock[2], -6)
-- As texts: a number of each would have to be read. Both have as many digits until the year 2286.
if #deadline ~= #now or deadline <= now then
  return false
end
local text = ARGV[6] .. UNTIL_TIME .. string.sub(now, 1, -4) .. SINCE_TIME .. ARGV[3] .. '}'
call('XACK', KEYS[1], ARGV[1], entry)
call('SET', KEYS[4], text, 'PX', '300000')
call('XDEL', KEYS[1], entry)
call('HDEL', KEYS[2], id)
if caller ~= '' then
  redis.pcall('XADD', ARGV[2] .. caller, 'NOMKSTREAM', '*', 'record', text)
end
return 1
