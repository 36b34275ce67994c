-- The ordinary successes that lead the batch, together: of a call that is open, not overdue, with its own
-- entry at hand, and that stands once. What is read of them is read at once, and they are acknowledged,
-- deleted and closed at once; the answers are those of one decision after the other. `rest` is where the
-- others begin.
local answers, rest = {}, 6
do
  local ARGV = ARGV
  local ids, results, seen, count = {}, {}, {}, 0
  for at = 6, #ARGV, 9 do
    local id = ARGV[at]
    if seen[id] or ARGV[at + 1] ~= 'S' or ARGV[at + 2] == '' or count == 1000 then
      break
    end
    count = count + 1
    seen[id], ids[count], results[count] = true, id, RESULT .. id
  end
  local opened = count > 0 and redis.pcall('HMGET', OPEN, unpack(ids))
  -- Where the hash is of another type, each decision is told so.
  if opened and not opened.err and call('EXISTS', unpack(results)) == 0 then
    local entries = {}
    for number = 1, count do
      local deadline, entry, caller =
        string.match(opened[number] or '', '^(%d+) %d+ (%S+) %S+ %S+ ?(.*)$')
      if entry ~= ARGV[rest + 2] or tonumber(deadline) <= now then
        break
      end
      local text = success_text(ids[number], ARGV[rest + 7], ARGV[rest + 3])
      call('SET', results[number], text, 'PX', 300000)
      if caller ~= '' then
        reply(caller, text)
      end
      entries[number] = entry
      answers[number] = { 'D' }
      rest = rest + 9
    end
    if #entries > 0 then
      call('XACK', CALLS, GROUP, unpack(entries))
      call('XDEL', CALLS, unpack(entries))
      call('HDEL', OPEN, unpack(ids, 1, #entries))
    end
  end
end
if rest > #ARGV then
  send_replies()
  return answers
end
