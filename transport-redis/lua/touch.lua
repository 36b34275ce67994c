-- touch: renews the lease of a deferred call, by token.
--
-- Keys and arguments 1 to 5: see part/frame.lua; 6 call, 7 nonce, 8 lease in microseconds.
-- Replies: {'D'} done, {'O', outcome} overruled, {'F'} fenced, {'0'} absent.
-- Validates before its first write: the result, where the call stands, its deadline, the token.
local id, nonce, lease = unpack(ARGV, 6, 8)
local kind = result_kind(id)
if kind then
  clear(id, nil)
  forget_unserved()
  return { 'O', kind }
end
local standing = locate(id, nil)
if not standing then
  return { '0' }
end
if standing.open and standing.deadline <= now then
  conclude(id, standing, nil, EXPIRED, attempts_begun(id, standing))
  send_replies()
  forget_unserved()
  return { 'O', 'expired' }
end
local parked = standing.parked or (not standing.open.entry and get_parked(id))
if not parked or parked.nonce ~= nonce then
  return { 'F' }
end
call('ZADD', DUE, int(now + tonumber(lease)), id)
return { 'D' }
