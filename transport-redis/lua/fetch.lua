-- fetch: takes undelivered entries for a consumer, without waiting.
--
-- Keys and arguments 1 to 5: see part/frame.lua; 6 consumer, 7 the most entries.
-- Replies: {now, last generated id, {{entry, {field, value, ...}}, ...}}; the error NOGROUP where stream
-- or group are missing.
local consumer, count = ARGV[6], tonumber(ARGV[7])
local entries = {}
if count > 0 then
  local read = redis.pcall('XREADGROUP', 'GROUP', GROUP, consumer, 'COUNT', count, 'STREAMS', CALLS, '>')
  if read and read.err then
    return read
  end
  entries = read and read[1] and read[1][2] or {}
end
if #entries == 0 then
  -- Redis 7.0 notes a reader only when something is delivered. A read of what is pending after the last
  -- but one of all ids (the last is how `>` is written) delivers nothing, creates the name, and shows
  -- that the consumer is there.
  local last = '18446744073709551615-18446744073709551614'
  local seen = redis.pcall('XREADGROUP', 'GROUP', GROUP, consumer, 'COUNT', 1, 'STREAMS', CALLS, last)
  if seen and seen.err then
    return seen
  end
end
local info = call('XINFO', 'STREAM', CALLS)
local last
for at = 1, #info, 2 do
  if info[at] == 'last-generated-id' then
    last = info[at + 1]
  end
end
return { int(now), last, entries }
