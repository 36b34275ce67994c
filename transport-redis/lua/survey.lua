-- survey: who serves these functions and how they stand. Writes nothing.
--
-- Keys: five for each function: stream, open hash, parked hash, due zset, active set.
-- Arguments: two for each function: group, prefix of consumer states.
-- Replies: {now, {has stream, has group, entries, open, parked, first due or false,
-- {{field, value, ...} of each registered consumer}, {{name, pending, idle in ms}, ...}}, ...}.
local call = redis.call
local clock = call('TIME')
local answer = { string.format('%.0f', clock[1] * 1000000 + clock[2]) }
for number = 0, #KEYS / 5 - 1 do
  local stream, open, parked, due, active = unpack(KEYS, 1 + number * 5, 5 + number * 5)
  local group, prefix = ARGV[1 + number * 2], ARGV[2 + number * 2]
  local has_stream = call('EXISTS', stream)
  local has_group, names = 0, {}
  if has_stream == 1 then
    for _, found in ipairs(call('XINFO', 'GROUPS', stream)) do
      if found[2] == group then
        has_group = 1
        for at, name in ipairs(call('XINFO', 'CONSUMERS', stream, group)) do
          local told = {}
          for field = 1, #name, 2 do
            told[name[field]] = name[field + 1]
          end
          names[at] = { told.name, told.pending, told.idle }
        end
      end
    end
  end
  local consumers = {}
  for _, consumer in ipairs(call('SMEMBERS', active)) do
    local state = call('HGETALL', prefix .. consumer)
    if #state > 0 and call('HGET', prefix .. consumer, 'status') ~= 'stopped' then
      consumers[#consumers + 1] = state
    end
  end
  local first = call('ZRANGE', due, 0, 0, 'WITHSCORES')
  answer[#answer + 1] = {
    has_stream, has_group, call('XLEN', stream), call('HLEN', open), call('HLEN', parked),
    first[2] and string.format('%.0f', first[2]) or false, consumers, names,
  }
end
return answer
