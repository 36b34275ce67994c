-- The ordinary submits that lead the batch, together: no delay, no result stream, no idempotency key, each of
-- another call; the last argument tells how many they are. What is read of them is read at once, and so are the
-- open records written; the answers are those of one submit after the other, told as their number. The first whose
-- id is known, or that finds the function full, and all after it are left to those below. `rest` is where those
-- begin, `last` where they end, and `manner` how the one before them was made.
local answers, rest, manner = {}, 8, nil
local last = #ARGV - 1
do
  local ARGV, count = ARGV, tonumber(ARGV[last + 1])
  -- How those are made that say so.
  local ids, results, manners = {}, {}, {}
  local at = 8
  for number = 1, count do
    local id = ARGV[at]
    if id == '' then
      manners[number] = manner_at(at + 1)
      at = at + 7
      id = ARGV[at]
    end
    at = at + 2
    ids[number], results[number] = id, RESULT .. id
  end
  local opened = count > 0 and redis.pcall('HLEN', OPEN)
  local known = count > 0 and call('EXISTS', PARKED, unpack(results)) or 0
  local parked = known > 0 and redis.pcall('HLEN', PARKED) or 0
  -- Where a key is of another type, each submit is told so.
  local is_hash = count > 0 and not (type(opened) == 'table' or type(parked) == 'table')
  if is_hash and known == (parked > 0 and 1 or 0) then
    local in_open = opened > 0 and call('HMGET', OPEN, unpack(ids)) or {}
    local in_parked = parked > 0 and call('HMGET', PARKED, unpack(ids)) or {}
    local open, at = math.max(opened, streamed), 8
    local records = {}
    local how, deadline_ms, before, after
    for number = 1, count do
      local id = ids[number]
      if manners[number] then
        how, at = manners[number], at + 7
        local deadline = now + tonumber(how.deadline_us)
        deadline_ms = int(math.ceil(deadline / 1000))
        before = int(deadline) .. ' 1 '
        after = ' ' .. no_cancel(opened + count, how.reply_to) .. ' - ' .. how.reply_to
      end
      if in_open[number] or in_parked[number] or open >= how.most then
        break
      end
      if number == 1 then
        ensure()
      end
      local input, entry = ARGV[at + 1], nil
      if how.reply_to ~= '' and how.trace == '' then
        entry = add_first(CALLS, ARGV[7], id, input, now_ms, deadline_ms, how.reply_to)
      else
        entry = call('XADD', CALLS, '*',
          unpack(fields_of(id, input, deadline_ms, '', how.reply_to, how.trace)))
      end
      records[number * 2 - 1] = id
      records[number * 2] = before .. entry .. after
      open, at = open + 1, at + 2
      answers[1], rest, manner = number, at, how
    end
    if #records > 0 then
      call('HSET', OPEN, unpack(records))
    end
  end
end
if rest > last then
  return answers[1]
end
