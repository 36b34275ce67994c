-- The entry of a first attempt that was not taken over: what is left out says so, and what replies is a call
-- of ours.
local function add_first(id, input, deadline_ms, reply_to)
  return call('XADD', CALLS, '*',
    'callId', id, 'functionName', ARGV[7], 'input', input, 'item', 'null',
    'responseChannel', 'function:response:' .. id, 'timestamp', now_ms,
    'deadline', deadline_ms, 'replyTo', reply_to)
end

-- From so many open calls on, a record is longer than a listpack's values may be: the server would search
-- a list from its begin for each call. Its `cancel` is that many zeros.
local MANY = 16
