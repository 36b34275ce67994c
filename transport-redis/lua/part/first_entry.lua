-- The entry of a first attempt that was not taken over: what is left out says so, and what replies is a call
-- of ours.
local function add_first(id, input, deadline_ms, reply_to)
  return call('XADD', CALLS, '*',
    'callId', id, 'functionName', ARGV[7], 'input', input, 'item', 'null',
    'responseChannel', 'function:response:' .. id, 'timestamp', now_ms,
    'deadline', deadline_ms, 'replyTo', reply_to)
end
