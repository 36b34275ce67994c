-- The ordinary successes that lead the batch, together: of a call that is open, not overdue, with its own
-- entry at hand, that asks for no result stream (its `cancel` is a number), and that stands once. What is
-- read of them is read at once, and they are acknowledged, deleted and closed at once; the answers are those
-- of one decision after the other, told as their number, `done`. `rest` is where the others begin.
local NO_SUCCESS = { E = true, D = true, C = true, X = true }
local answers, rest, done = {}, 6, 0
do
  local ARGV = ARGV
  local ids, seen, count = {}, {}, 0
  for at = 6, #ARGV, 4 do
    local id = ARGV[at + 1]
    if seen[id] or NO_SUCCESS[ARGV[at]] or ARGV[at + 2] == '' or count == 1000 then
      break
    end
    count = count + 1
    seen[id], ids[count] = true, id
  end
  local opened = count > 0 and redis.pcall('HMGET', OPEN, unpack(ids))
  -- Where the hash is of another type, each decision is told so.
  if opened and not opened.err then
    local entries, ends = {}, {}
    -- Deadlines are told from it as texts: a number of each would have to be read. Both have as many digits
    -- until the year 2286; a shorter or longer one is left to those below.
    local now_text = int(now)
    for number = 1, count do
      local id, at = ids[number], 2 + number * 4
      local deadline, entry, caller =
        string.match(opened[number] or '', '^(%d+) %d+ (%S+) %d+ %S+ ?(.*)$')
      if entry ~= ARGV[at + 2] or #deadline ~= #now_text or deadline <= now_text then
        break
      end
      local attempts = ARGV[at]
      ends[attempts] = ends[attempts] or UNTIL_TIME .. now_ms .. SINCE_TIME .. attempts .. '}'
      local text = ARGV[at + 3] .. ends[attempts]
      -- Where an outcome stands, it is as if this one had not been looked at yet.
      if not call('SET', RESULT .. id, text, 'NX', 'PX', '300000') then
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
if rest > #ARGV and not is_last then
  send_replies()
  return answers[1]
end
