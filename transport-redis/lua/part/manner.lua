-- How a call is made. An item of a batch is made as the one before it, or says how before its own arguments:
-- an empty one, which no call is named, and six: deadline and delay (microseconds from now; an `s` behind
-- the delay asks for a result stream), idempotency key, reply-to, traceparent (each empty for none), the most
-- calls that may be open.
local function manner_at(at)
  return {
    deadline_us = ARGV[at], delay_us = ARGV[at + 1], key = ARGV[at + 2], reply_to = ARGV[at + 3],
    trace = ARGV[at + 4], most = tonumber(ARGV[at + 5]),
  }
end
