-- The ordinary successes that lead the batch, together. They are with an entry at hand, each of another call; the
-- last argument tells how many they are. The call is open and in one of its first nine attempts, the entry is its
-- own, it is not overdue, and asks for no result stream (its `cancel` is a number). What is read of them is read at
-- once, and they are acknowledged, deleted and closed at once; the answers are those of one decision after the
-- other, told as their number, `done`. The first that is not so, and all after it are left to those below. `rest`
-- is where those begin, and `last` where they end.
local answers, rest, done = {}, 6, 0
local last = #ARGV - 1
do
  local ARGV, count = ARGV, tonumber(ARGV[last + 1])
  local byte, find, match, sub = string.byte, string.find, string.match, string.sub
  local ids = {}
  for number = 1, count do
    ids[number] = ARGV[number * 4 + 3]
  end
  local opened = count > 0 and redis.pcall('HMGET', OPEN, unpack(ids))
  -- Where the hash is of another type, each decision is told so.
  if opened and not opened.err and #int(now) == 16 then
    local entries, ends = {}, {}
    -- A record is compared as a text: a number of each deadline would have to be read. Both have sixteen digits
    -- until the year 2286. One whose deadline is the time itself or before comes before the next microsecond.
    local overdue = int(now + 1)
    -- What follows the entry is mostly the same for all.
    local tail, caller
    for number = 1, count do
      local at = number * 4 + 2
      local record, entry = opened[number] or '', ARGV[at + 2]
      local deadline_ends, _, attempt_ends = byte(record, 17, 19)
      if find(record, entry, 20, true) ~= 20 or deadline_ends ~= 32 or attempt_ends ~= 32
        or record < overdue
      then
        break
      end
      local found = sub(record, 20 + #entry)
      if found ~= tail then
        tail, caller = found, match(found, '^ %d+ %S+ ?(.*)$')
      end
      if not caller then
        break
      end
      local attempts = ARGV[at]
      ends[attempts] = ends[attempts] or UNTIL_TIME .. now_ms .. SINCE_TIME .. attempts .. '}'
      local text = ARGV[at + 3] .. ends[attempts]
      -- Where an outcome stands, it is as if this one had not been looked at yet.
      if not call('SET', RESULT .. ids[number], text, 'NX', 'PX', '300000') then
        break
      end
      if caller ~= '' then
        reply(caller, text)
      end
      done, entries[number] = number, entry
    end
    if done > 0 then
      call('XACK', CALLS, GROUP, unpack(entries))
      call('XDEL', CALLS, unpack(entries))
      call('HDEL', OPEN, unpack(ids, 1, done))
      closed_any, answers[1], rest = true, done, rest + done * 4
    end
  end
end
-- The stream of a function that nobody serves may have to go with its last entry: see below.
local is_last = closed_any and streamed <= done and call('EXISTS', KEYS[7]) == 0
if rest > last and not is_last then
  send_replies()
  return answers[1]
end
