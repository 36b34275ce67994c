-- decide: decides calls of one function, N at a time; each item succeeds or fails alone. Callers that
-- asked for replies get one entry for the batch.
--
-- Keys and arguments 1 to 5: see part/frame.lua; then for each item: verdict, call, entry at hand or empty,
-- attempts; for a success one more, the result as a JSON string, and else the five that part/decide.lua
-- explains.
-- Replies, one for each item: as part/decide.lua, or {'E', error}.
-- Validates before an item's first write: the result, where the call stands, its deadline, the authority.
while rest < #ARGV do
  local verdict, id, at_hand, attempts = unpack(ARGV, rest, rest + 3)
  local fine, answer
  if verdict == 'S' then
    fine, answer = pcall(decide, id, verdict, at_hand, attempts, '-', '', '', ARGV[rest + 4])
    rest = rest + 5
  else
    fine, answer = pcall(decide, id, verdict, at_hand, attempts, unpack(ARGV, rest + 4, rest + 8))
    rest = rest + 9
  end
  answers[#answers + 1] = fine and answer or { 'E', message(answer) }
end
send_replies()
forget_unserved()
return answers
