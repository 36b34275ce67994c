-- begin: begins an entry that was taken over; the attempt is counted first.
--
-- Keys and arguments 1 to 5: see part/frame.lua; 6 call, 7 entry, 8 consumer, 9 epoch, 10 most attempts.
-- Replies: {'B', attempt, remaining} begun, {'D', outcome} decided, {'F'} fenced.
-- Validates before its first write: the result, where the call stands, its deadline, the lease.
local id, entry, consumer, epoch, most = unpack(ARGV, 6, 10)
most = tonumber(most)
local kind = result_kind(id)
if kind then
  clear(id, entry)
  forget_unserved()
  return { 'D', kind }
end
local standing = locate(id, entry)
if not standing then
  return { 'F' }
end
if standing.deadline <= now then
  conclude(id, standing, entry, EXPIRED, attempts_begun(id, standing))
  send_replies()
  forget_unserved()
  return { 'D', 'expired' }
end
if not proves(id, standing, entry, consumer, epoch) then
  return { 'F' }
end
local attempt, exhausted
local open = standing.open
if open then
  if open.begun == entry then
    attempt = open.attempt
  elseif open.attempt >= most then
    exhausted = open.attempt
  else
    open.attempt = open.attempt + 1
    open.begun = entry
    attempt = open.attempt
    put_open(id, open)
  end
elseif standing.body then
  attempt = effective(standing.body)
  if attempt > most then
    exhausted = attempt - 1
  end
else
  return { 'F' }
end
if exhausted then
  local lost = {
    kind = 'dead_lettered',
    failure = 'lost_worker',
    message = 'the worker that ran the last attempt died',
  }
  conclude(id, standing, entry, lost, exhausted)
  send_replies()
  forget_unserved()
  return { 'D', 'dead_lettered' }
end
return { 'B', int(attempt), positive(standing.deadline - now) }
