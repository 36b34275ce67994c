-- move: moves a delivered call away from its consumer, back to the stream or into parking.
--
-- Keys and arguments 1 to 5: see part/frame.lua; 6 call, 7 entry, 8 consumer, 9 epoch, 10 where to:
-- `release`, `retry` or `defer`, 11 delay or lease in microseconds, 12 nonce.
-- Replies: {'D'} done, {'O', outcome} overruled, {'F'} fenced, {'0'} absent.
-- Validates before its first write: the result, where the call stands, its deadline, the lease, and where it
-- is to go.
local id, entry, consumer, epoch, to, time, nonce = unpack(ARGV, 6, 12)
local kind = result_kind(id)
if kind then
  clear(id, entry)
  forget_unserved()
  return { 'O', kind }
end
local standing = locate(id, entry)
if not standing then
  return { '0' }
end
if standing.open and standing.deadline <= now then
  conclude(id, standing, entry, EXPIRED, attempts_begun(id, standing))
  send_replies()
  forget_unserved()
  return { 'O', 'expired' }
end
if not proves(id, standing, entry, consumer, epoch) then
  return { 'F' }
end
if to == 'release' then
  give_back(entry, false)
  return { 'D' }
end
local body = body_at(entry)
if not body then
  return { '0' }
end
local open = body.ours and body.open
local attempt = open and open.attempt or effective(body)
if to == 'defer' or tonumber(time) > 0 then
  may_park()
end
drop(entry)
if to == 'defer' then
  park(id, written(body, attempt, 0, body.ours), body.ours, now + tonumber(time), nonce, open)
  return { 'D' }
end
attempt = math.min(attempt + 1, 4294967295)
if open then
  open.attempt, open.begun = attempt, false
end
local fields = written(body, attempt, 0, body.ours)
if tonumber(time) > 0 then
  park(id, fields, body.ours, now + tonumber(time), nil, open)
else
  local new = add(fields)
  if open then
    open.entry = new
    put_open(id, open)
  end
end
return { 'D' }
