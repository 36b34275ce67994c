-- decide: decides calls of one function, N at a time; each item succeeds or fails alone. Callers that
-- asked for replies get one entry for the batch.
--
-- Keys and arguments 1 to 5: see part/frame.lua; then for each item: verdict, call, entry at hand or empty,
-- and of a success, whose verdict is told as its attempts, how its record begins (see part/record.lua); of any
-- other the attempts and the five that part/decide.lua explains; then how many lead that are ordinary by what they
-- say (see part/ordinary_successes.lua).
-- Replies, one for each item, or first the number of successes that lead and are done, or that number alone
-- where no other follows: as part/decide.lua, or {'E', error}.
-- Validates before an item's first write: the result, where the call stands, its deadline, the authority.
local NO_SUCCESS = { E = true, D = true, C = true, X = true }
while rest < last do
  local verdict, id, at_hand, after = unpack(ARGV, rest, rest + 3)
  local fine, answer
  if NO_SUCCESS[verdict] then
    fine, answer = pcall(decide, id, verdict, at_hand, after, unpack(ARGV, rest + 4, rest + 8))
    rest = rest + 9
  else
    fine, answer = pcall(decide, id, 'S', at_hand, verdict, '-', '', '', after)
    rest = rest + 4
  end
  answers[#answers + 1] = fine and answer or { 'E', message(answer) }
end
send_replies()
forget_unserved()
return answers
