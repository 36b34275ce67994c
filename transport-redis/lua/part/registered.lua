-- Whether a consumer is registered.

-- The epoch of a consumer that is registered. One that was removed leaves its state, of status `stopped`,
-- for five minutes: a late copy of its registration must not bring it back.
local function registered(consumer)
  local state = call('HMGET', STATE .. consumer, 'epoch', 'status')
  return state[2] ~= 'stopped' and state[1]
end

local function leave_stopped(consumer)
  if registered(consumer) then
    call('HSET', STATE .. consumer, 'status', 'stopped')
    call('PEXPIRE', STATE .. consumer, 300000)
  end
end
