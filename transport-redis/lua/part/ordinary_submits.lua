-- The ordinary submits that lead the batch, together: no delay, no idempotency key, an id that nobody
-- knows and that stands once. What is read of them is read at once, and so are the open records written;
-- the answers are those of one submit after the other. `rest` is where the others begin, and `manner` how
-- the one before them was made.
local answers, rest, manner = {}, 8, nil
do
  local ARGV = ARGV
  local ids, results, inputs, manners, ends = {}, {}, {}, {}, {}
  local seen, count, at, present = {}, 0, 8, nil
  while at < #ARGV and count < 1000 do
    local id, input, past = ARGV[at], ARGV[at + 1], at + 3
    if ARGV[at + 2] ~= '=' then
      present, past = manner_at(at + 2), at + 8
    end
    if seen[id] or present.delay_us ~= '0' or present.key ~= '' then
      break
    end
    count = count + 1
    seen[id], ids[count], results[count] = true, id, RESULT .. id
    inputs[count], manners[count], ends[count] = input, present, past
    at = past
  end
  local opened = count > 0 and redis.pcall('HLEN', OPEN)
  local known = count > 0 and call('EXISTS', PARKED, unpack(results)) or 0
  local parked = known > 0 and redis.pcall('HLEN', PARKED) or 0
  -- Where a key is of another type, each submit is told so.
  local is_hash = count > 0 and not (type(opened) == 'table' or type(parked) == 'table')
  if is_hash and known == (parked > 0 and 1 or 0) then
    local in_open = opened > 0 and call('HMGET', OPEN, unpack(ids)) or {}
    local in_parked = parked > 0 and call('HMGET', PARKED, unpack(ids)) or {}
    local open = math.max(opened, streamed)
    local name, records, accepted = ARGV[7], {}, { 'A' }
    local deadline, deadline_ms
    for number = 1, count do
      local id, how = ids[number], manners[number]
      if in_open[number] or in_parked[number] or open >= how.most then
        break
      end
      if number == 1 then
        ensure()
      end
      if how ~= manner then
        manner, deadline = how, now + tonumber(how.deadline_us)
        deadline_ms, deadline = int(math.ceil(deadline / 1000)), int(deadline)
      end
      local entry
      if how.reply_to ~= '' and how.trace == '' then
        entry = call('XADD', CALLS, '*',
          'callId', id, 'functionName', name, 'input', inputs[number], 'item', 'null',
          'responseChannel', 'function:response:' .. id, 'timestamp', now_ms,
          'deadline', deadline_ms, 'attempt', '1', 'takeover', '0', 'replyTo', how.reply_to)
      else
        entry = call('XADD', CALLS, '*',
          unpack(fields_of(id, inputs[number], deadline_ms, '', how.reply_to, how.trace)))
      end
      records[number * 2 - 1] = id
      records[number * 2] = deadline .. ' 1 ' .. entry .. ' 0 - ' .. how.reply_to
      open = open + 1
      answers[number] = accepted
      rest = ends[number]
    end
    if #records > 0 then
      call('HSET', OPEN, unpack(records))
    end
  end
end
if rest > #ARGV then
  return answers
end
