-- The entry of a first attempt that was not taken over: what is left out says so, and what replies is a call
-- of ours. `name` is the function's.
local function add_first(calls, name, id, input, now_ms, deadline_ms, reply_to)
  return redis.call('XADD', calls, '*',
    'callId', id, 'functionName', name, 'input', input, 'item', 'null',
    'responseChannel', 'function:response:' .. id, 'timestamp', now_ms,
    'deadline', deadline_ms, 'replyTo', reply_to)
end
