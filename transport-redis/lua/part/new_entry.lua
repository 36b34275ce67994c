-- The entry of a call that is new.

-- Its fields as core's wire names them; key, reply-to and traceparent may be empty.
local function fields_of(id, input, deadline_ms, key, reply_to, trace)
  local fields = {
    'callId', id, 'functionName', ARGV[7], 'input', input, 'item', 'null',
    'responseChannel', 'function:response:' .. id, 'timestamp', now_ms,
    'deadline', deadline_ms, 'attempt', '1', 'takeover', '0',
  }
  for _, pair in ipairs({ { 'replyTo', reply_to }, { 'traceparent', trace }, { 'idempotencyKey', key } }) do
    if pair[2] ~= '' then
      fields[#fields + 1], fields[#fields + 2] = pair[1], pair[2]
    end
  end
  return fields
end
