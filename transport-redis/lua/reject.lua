-- reject: makes a dead letter of an entry that is no call. One that is an older peer's call after all is
-- decided as dead-lettered; a call of ours is never rejected.
--
-- Keys and arguments 1 to 5: see part/frame.lua; 6 entry, 7 consumer, 8 epoch, 9 reason.
-- Replies: as part/decide.lua.
-- Validates before its first write: that the entry is there, is not ours, and the lease.
local entry, consumer, epoch, reason = unpack(ARGV, 6, 9)
local fields = fields_at(entry)
if not fields then
  return { '0' }
end
local body = decode(entry, fields)
if (body and body.ours) or not holds(entry, consumer, epoch) then
  return { 'F' }
end
local failure = { kind = 'dead_lettered', failure = 'malformed', message = reason }
if body then
  local attempts = attempts_begun(body.call, { entry = entry, body = body, open = body.open })
  local answer = decide(body.call, 'D', entry, attempts, 'L', consumer, epoch, 'malformed', reason)
  send_replies()
  return answer
end
bury(fields, failure, 0, entry)
drop(entry)
return { 'D' }
