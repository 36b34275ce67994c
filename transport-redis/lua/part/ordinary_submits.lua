-- The ordinary submits that lead the batch, together: no delay, no idempotency key, an id that nobody
-- knows and that stands once. What is read of them is read at once, and so are the open records written;
-- the answers are those of one submit after the other, told as their number. `rest` is where the others
-- begin, and `manner` how the one before them was made.
local answers, rest, manner = {}, 8, nil
do
  local ARGV = ARGV
  -- How those are made that say so, by where each begins.
  local ids, results, starts, manners = {}, {}, {}, {}
  local seen, count, at, last = {}, 0, 8, #ARGV
  while at < last and count < 1000 do
    local start = at
    if ARGV[at] == '' then
      local present = manner_at(at + 1)
      if present.delay_us ~= '0' or present.key ~= '' then
        break
      end
      manners[start], at = present, at + 7
    end
    local id = ARGV[at]
    if seen[id] then
      break
    end
    at = at + 2
    count = count + 1
    seen[id], ids[count], results[count], starts[count] = true, id, RESULT .. id, start
    starts[count + 1] = at
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
    local name, records = ARGV[7], {}
    local deadline, deadline_ms, how
    for number = 1, count do
      local id, past = ids[number], starts[number + 1]
      local input = ARGV[past - 1]
      how = manners[starts[number]] or how
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
          'callId', id, 'functionName', name, 'input', input, 'item', 'null',
          'responseChannel', 'function:response:' .. id, 'timestamp', now_ms,
          'deadline', deadline_ms, 'attempt', '1', 'takeover', '0', 'replyTo', how.reply_to)
      else
        entry = call('XADD', CALLS, '*',
          unpack(fields_of(id, input, deadline_ms, '', how.reply_to, how.trace)))
      end
      records[number * 2 - 1] = id
      records[number * 2] = deadline .. ' 1 ' .. entry .. ' 0 - ' .. how.reply_to
      open = open + 1
      answers[1], rest = number, past
    end
    if #records > 0 then
      call('HSET', OPEN, unpack(records))
    end
  end
end
if rest > #ARGV then
  return answers
end
