-- Whether a consumer is registered.

-- The epoch of a consumer that is registered. One that was removed leaves its state, of status `stopped`,
-- for five minutes: a late copy of its registration must not bring it back.
local function registered(consumer)
  local state = call('HMGET', STATE .. consumer, 'epoch', 'status')
  return state[2] ~= 'stopped' and state[1]
end

-- Takes a member out of an index. Indexes are repairable and never trusted: one of another type fails nobody.
local function unlist(index, member)
  redis.pcall('SREM', index, member)
end

-- Takes a consumer out of the set of active ones, and with it whoever has no state any more: the set is an
-- index, and must not make a function pass for served.
local function leave_active(consumer)
  unlist(KEYS[7], consumer)
  local others = redis.pcall('SMEMBERS', KEYS[7])
  for _, other in ipairs(others) do
    local status = redis.pcall('HGET', STATE .. other, 'status')
    if not status or status == 'stopped' then
      unlist(KEYS[7], other)
    end
  end
end

local function leave_stopped(consumer)
  if registered(consumer) then
    call('HSET', STATE .. consumer, 'status', 'stopped')
    call('PEXPIRE', STATE .. consumer, 300000)
  end
end
