-- decide: decides calls of one function, N at a time; each item succeeds or fails alone. Callers that
-- asked for replies get one entry for the batch.
--
-- Keys and arguments 1 to 5: see part/frame.lua; then nine for each item: call, verdict, entry at hand or
-- empty, attempts, and the five that part/decide.lua explains.
-- Replies, one for each item: as part/decide.lua, or {'E', error}.
-- Validates before an item's first write: the result, where the call stands, its deadline, the authority.
for at = rest, #ARGV, 9 do
  local fine, answer = pcall(decide, unpack(ARGV, at, at + 8))
  answers[#answers + 1] = fine and answer or { 'E', message(answer) }
end
send_replies()
forget_unserved()
return answers
