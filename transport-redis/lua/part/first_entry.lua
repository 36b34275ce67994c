-- What a new call of ours is written as, where nothing is extraordinary about it.

-- The `cancel` of its open record, `DEADLINE 1 ENTRY CANCEL - REPLYTO`, where so many calls are open with it. From
-- some on it has more zeros than one, so that the record is longer than a listpack's values may be (64 bytes):
-- the server would search a list from its begin for each call.
local function no_cancel(open, reply_to)
  if open <= 16 then
    return '0'
  end
  return string.rep('0', math.max(1, 65 - #'1700000000000000 1 1700000000000-0  - ' - #reply_to))
end

-- Its entry. It is a first attempt's that was not taken over: what is left out says so, and what replies is a
-- call of ours. `name` is the function's.
local function add_first(calls, name, id, input, now_ms, deadline_ms, reply_to)
  return redis.call('XADD', calls, '*',
    'callId', id, 'functionName', name, 'input', input, 'item', 'null',
    'responseChannel', 'function:response:' .. id, 'timestamp', now_ms,
    'deadline', deadline_ms, 'replyTo', reply_to)
end
