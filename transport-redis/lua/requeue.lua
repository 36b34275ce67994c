-- requeue: makes a new call of a dead letter and removes the letter. A letter whose input cannot be read
-- counts as none, and stays.
--
-- Keys and arguments 1 to 5: see part/frame.lua; 6 letter, 7 the new call, 8 deadline (microseconds from
-- now), 9 the function's name.
-- Replies: {'A'} accepted, {'O'} open already, {'R', record} decided already, {'N'} no such letter.
-- Validates before its first write: that the call is new, and that the letter is there with its input.
local letter, id, deadline_us, name = unpack(ARGV, 6, 9)
local record = call('GET', RESULT .. id)
if record then
  return { 'R', record }
end
if call('HEXISTS', OPEN, id) == 1 or call('HEXISTS', PARKED, id) == 1 then
  return { 'O' }
end
local found = call('XRANGE', LETTERS, letter, letter)[1]
local input = found and last_of(found[2], 'input')
if not input or not is_json(input) then
  return { 'N' }
end
call('XDEL', LETTERS, letter)
local deadline = now + tonumber(deadline_us)
local entry = add({
  'callId', id, 'functionName', name, 'input', input, 'item', 'null',
  'responseChannel', 'function:response:' .. id, 'timestamp', now_ms,
  'deadline', int(math.ceil(deadline / 1000)), 'attempt', '1', 'takeover', '0',
})
put_open(id, { deadline = deadline, attempt = 1, entry = entry, reply = '' })
return { 'A' }
