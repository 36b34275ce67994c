-- acknowledge: settles what a decided call may have left behind.
--
-- Keys and arguments 1 to 5: see part/frame.lua; 6 call.
-- Replies: {'C', 1 or 0} whether anything was cleared, {'S'} still open.
-- Validates before its first write: that the call is decided.
local id = ARGV[6]
if is_decided(id) then
  local cleared = clear(id, nil)
  forget_unserved()
  return { 'C', cleared and 1 or 0 }
end
if locate(id, nil) then
  return { 'S' }
end
return { 'C', 0 }
