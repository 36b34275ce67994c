-- The ordinary submits that lead the batch, together: no delay, no idempotency key, an id that nobody
-- knows and that stands once. What is read of them is read at once, and so are the open records written;
-- the answers are those of one submit after the other. `rest` is where the others begin.
local answers, rest = {}, 8
do
  local ARGV = ARGV
  local ids, results, seen, count = {}, {}, {}, 0
  for at = 8, #ARGV, 8 do
    local id = ARGV[at]
    if seen[id] or ARGV[at + 3] ~= '0' or ARGV[at + 4] ~= '' or count == 1000 then
      break
    end
    count = count + 1
    seen[id], ids[count], results[count] = true, id, RESULT .. id
  end
  local opened = count > 0 and redis.pcall('HLEN', OPEN)
  local parked = count > 0 and redis.pcall('HLEN', PARKED)
  -- Where a key is of another type, each submit is told so.
  local is_hash = count > 0 and not (type(opened) == 'table' or type(parked) == 'table')
  if is_hash and call('EXISTS', unpack(results)) == 0 then
    local in_open = opened > 0 and call('HMGET', OPEN, unpack(ids)) or {}
    local in_parked = parked > 0 and call('HMGET', PARKED, unpack(ids)) or {}
    local open = math.max(opened, streamed)
    local name, records, deadline_us, deadline, deadline_ms = ARGV[7], {}, nil, nil, nil
    for number = 1, count do
      local id = ids[number]
      if in_open[number] or in_parked[number] or open >= tonumber(ARGV[rest + 7]) then
        break
      end
      if number == 1 then
        ensure()
      end
      if ARGV[rest + 2] ~= deadline_us then
        deadline_us = ARGV[rest + 2]
        deadline = now + tonumber(deadline_us)
        deadline_ms, deadline = int(math.ceil(deadline / 1000)), int(deadline)
      end
      local reply_to, trace = ARGV[rest + 5], ARGV[rest + 6]
      local entry
      if reply_to ~= '' and trace == '' then
        entry = call('XADD', CALLS, '*',
          'callId', id, 'functionName', name, 'input', ARGV[rest + 1], 'item', 'null',
          'responseChannel', 'function:response:' .. id, 'timestamp', now_ms,
          'deadline', deadline_ms, 'attempt', '1', 'takeover', '0', 'replyTo', reply_to)
      else
        entry = call('XADD', CALLS, '*',
          unpack(fields_of(id, ARGV[rest + 1], deadline_ms, '', reply_to, trace)))
      end
      records[number * 2 - 1] = id
      records[number * 2] = deadline .. ' 1 ' .. entry .. ' 0 - ' .. reply_to
      open = open + 1
      answers[number] = { 'A' }
      rest = rest + 8
    end
    if #records > 0 then
      call('HSET', OPEN, unpack(records))
    end
  end
end
if rest > #ARGV then
  return answers
end
