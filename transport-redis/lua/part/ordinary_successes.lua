-- The ordinary successes that lead the batch, together: of a call that is open, not overdue, with its own
-- entry at hand, and that stands once. What is read of them is read at once, and they are acknowledged,
-- deleted and closed at once; the answers are those of one decision after the other. `rest` is where the
-- others begin.
local answers, rest = {}, 6
do
  local ARGV = ARGV
  local ids, results, seen, count = {}, {}, {}, 0
  for at = 6, #ARGV, 5 do
    local id = ARGV[at + 1]
    if seen[id] or ARGV[at] ~= 'S' or ARGV[at + 2] == '' or count == 1000 then
      break
    end
    count = count + 1
    seen[id], ids[count], results[count] = true, id, RESULT .. id
  end
  local opened = count > 0 and redis.pcall('HMGET', OPEN, unpack(ids))
  -- Where the hash is of another type, each decision is told so.
  if opened and not opened.err and call('EXISTS', unpack(results)) == 0 then
    local entries, callers, done = {}, {}, 0
    for number = 1, count do
      local deadline, entry, caller =
        string.match(opened[number] or '', '^(%d+) %d+ (%S+) %S+ %S+ ?(.*)$')
      if entry ~= ARGV[number * 5 + 3] or tonumber(deadline) <= now then
        break
      end
      done = number
      entries[number], callers[number] = entry, caller
    end
    if done > 0 then
      -- First of all writes, so that a stream of another type is refused before any.
      call('XACK', CALLS, GROUP, unpack(entries))
      call('XDEL', CALLS, unpack(entries))
      call('HDEL', OPEN, unpack(ids, 1, done))
      local decided = { 'D' }
      for number = 1, done do
        local text = success_text(ids[number], ARGV[number * 5 + 5], ARGV[number * 5 + 4])
        call('SET', results[number], text, 'PX', 300000)
        if callers[number] ~= '' then
          reply(callers[number], text)
        end
        answers[number] = decided
      end
      rest = rest + done * 5
    end
  end
end
if rest > #ARGV then
  send_replies()
  return answers
end
