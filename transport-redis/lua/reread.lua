-- reread: reads entries again that are pending at a consumer. What is pending and was deleted by somebody
-- is acknowledged, so that it is not listed for ever.
--
-- Keys and arguments 1 to 5: see part/frame.lua; 6 consumer; then the entries.
-- Replies: as fetch.lua.
-- Validates before its first write: that the group exists, and who owns each entry.
local consumer = ARGV[6]
if call('EXISTS', CALLS) == 0 then
  return redis.error_reply('NOGROUP the stream is missing')
end
local checked = redis.pcall('XPENDING', CALLS, GROUP)
if checked.err then
  return checked
end
local entries, held = {}, {}
for at = 7, #ARGV do
  if owner(ARGV[at]) == consumer then
    local fields = fields_at(ARGV[at])
    if fields then
      entries[#entries + 1] = { ARGV[at], fields }
      held[#held + 1] = ARGV[at]
    else
      call('XACK', CALLS, GROUP, ARGV[at])
    end
  end
end
-- Shows that the consumer is there, as a read does.
if #held > 0 then
  call('XREADGROUP', 'GROUP', GROUP, consumer, 'COUNT', 1, 'STREAMS', CALLS, held[#held])
end
local info = call('XINFO', 'STREAM', CALLS)
local last
for at = 1, #info, 2 do
  if info[at] == 'last-generated-id' then
    last = info[at + 1]
  end
end
return { int(now), last, entries }
