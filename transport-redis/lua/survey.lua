-- survey: who serves these functions and how they stand. Writes nothing. Each function is answered or
-- fails alone.
--
-- Keys: five for each function: stream, open hash, parked hash, due zset, active set.
-- Arguments: two for each function: group, prefix of consumer states.
-- Replies: {now, {has stream, has group, entries, open, parked, first due or false,
-- {{field, value, ...} of each registered consumer}, {{name, pending, idle in ms}, ...}} or {'E', error},
-- ...}. An older peer's consumer has no epoch, and counts as one without state.
local call = redis.call
local clock = call('TIME')

-- Whether the group exists, and its names.
local function group_of(stream, group)
  for _, found in ipairs(call('XINFO', 'GROUPS', stream)) do
    if found[2] == group then
      local names = {}
      for at, name in ipairs(call('XINFO', 'CONSUMERS', stream, group)) do
        local told = {}
        for field = 1, #name, 2 do
          told[name[field]] = name[field + 1]
        end
        names[at] = { told.name, told.pending, told.idle }
      end
      return 1, names
    end
  end
  return 0, {}
end

local function survey(number)
  local stream, open, parked, due, active = unpack(KEYS, 1 + number * 5, 5 + number * 5)
  local group, prefix = ARGV[1 + number * 2], ARGV[2 + number * 2]
  local has_stream = call('EXISTS', stream)
  local has_group, names = 0, {}
  if has_stream == 1 then
    has_group, names = group_of(stream, group)
  end
  local consumers = {}
  for _, consumer in ipairs(call('SMEMBERS', active)) do
    local known = call('HMGET', prefix .. consumer, 'epoch', 'status')
    if known[1] and known[2] ~= 'stopped' then
      consumers[#consumers + 1] = call('HGETALL', prefix .. consumer)
    end
  end
  local first = call('ZRANGE', due, 0, 0, 'WITHSCORES')
  return {
    has_stream, has_group, call('XLEN', stream), call('HLEN', open), call('HLEN', parked),
    first[2] and int(first[2]) or false, consumers, names,
  }
end

local answer = { int(clock[1] * 1000000 + clock[2]) }
for number = 0, #KEYS / 5 - 1 do
  local fine, told = pcall(survey, number)
  answer[#answer + 1] = fine and told or { 'E', message(told) }
end
return answer
