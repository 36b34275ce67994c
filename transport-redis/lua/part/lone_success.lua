-- An ordinary success (part/ordinary_successes.lua tells which those are) that comes alone: the caller waits
-- for this script, so it is spared what only batches and other verdicts need. Any other goes on below, and so
-- does the last call of a function that nobody serves.
if #ARGV == 9 and tonumber(ARGV[6]) and (streamed > 1 or call('EXISTS', KEYS[7]) == 1) then
  local id, opened = ARGV[7], redis.pcall('HGET', OPEN, ARGV[7])
  local deadline, entry, caller =
    string.match(type(opened) == 'string' and opened or '', '^(%d+) %d+ (%S+) %d+ %S+ ?(.*)$')
  if entry == ARGV[8] and tonumber(deadline) > now then
    local text = ARGV[9] .. success_end(ARGV[6])
    if call('SET', RESULT .. id, text, 'NX', 'PX', 300000) then
      call('XACK', CALLS, GROUP, entry)
      call('XDEL', CALLS, entry)
      call('HDEL', OPEN, id)
      if caller ~= '' then
        redis.pcall('XADD', REPLIES .. caller, 'NOMKSTREAM', '*', 'record', text)
      end
      return { 1 }
    end
  end
end
