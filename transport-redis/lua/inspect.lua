-- inspect: what the store knows of a call. Writes nothing.
--
-- Keys and arguments 1 to 5: see part/frame.lua; 6 call.
-- Replies: {'D', record} decided, {'P', attempt, remaining, due in, 1 if deferred} parked,
-- {'Q', attempt, remaining} queued, {'C', attempt, remaining, consumer} pending,
-- {'M', attempt, remaining} missing, {'0'} absent.
local id = ARGV[6]
local record = call('GET', RESULT .. id)
if record then
  return { 'D', record }
end
local open = get_open(id)
local parked = not (open and open.entry) and get_parked(id)
if parked then
  local due = tonumber(call('ZSCORE', DUE, id) or now)
  return {
    'P', int((open or parked.body).attempt), positive(parked.body.deadline - now), positive(due - now),
    parked.nonce and 1 or 0,
  }
end
if not open then
  return { '0' }
end
local attempt, remaining = int(open.attempt), positive(open.deadline - now)
local body = open.entry and body_at(open.entry)
if not body or body.call ~= id then
  return { 'M', attempt, remaining }
end
local consumer = owner(open.entry)
if consumer then
  return { 'C', attempt, remaining, consumer }
end
return { 'Q', attempt, remaining }
