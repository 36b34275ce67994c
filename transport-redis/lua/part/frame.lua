-- What every script of one function starts with.
--
-- Keys:      1 stream of calls, 2 open hash, 3 parked hash, 4 due zset, 5 dead letters, 6 epoch counter,
--            7 set of active consumers, 8 definition
-- Arguments: 1 the group's name, 2 prefix of results, 3 prefix of reply streams, 4 prefix of consumer
--            states, 5 the most dead letters; a script's own arguments follow from 6 on
--
-- Times are microseconds since 1970 by the server's clock, as numbers: exact below 2^53.
local CALLS, OPEN, PARKED, DUE, LETTERS = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local GROUP, RESULT, REPLIES, STATE = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local call = redis.call
local clock = call('TIME')
local now = clock[1] * 1000000 + clock[2]
local now_ms = string.format('%.0f', math.floor(now / 1000))
-- Of another type: refused here, before any write.
local streamed = call('XLEN', CALLS)

local function int(number)
  return string.format('%.0f', number)
end

local function positive(number)
  return int(number > 0 and number or 0)
end

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

-- The text of an error that `pcall` caught.
local function message(caught)
  if type(caught) == 'table' then
    return caught.err or 'ERR unknown'
  end
  local text = tostring(caught)
  return string.find(text, '^%u+ ') and text or 'ERR ' .. text
end
