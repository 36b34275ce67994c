-- beat: heartbeat of consumers of one node, of any functions; refreshes what lives by it. Each pulse
-- succeeds or fails alone.
--
-- Keys: 1 the set of all functions, 2 the set of all consumers; then seven for each pulse: stream,
-- state, active set, definition, set of workers, the worker's own, epoch counter. Arguments: 1 server run id, 2 client ids,
-- 3 the worker; then eight for each pulse: group,
-- consumer, epoch, status, error count, `1` if there is a last error, the last error, NAME:SCOPE.
-- Replies, one for each pulse: {'A', pending entries} alive, {'R'} removed, {'E', error}.
-- Validates before a pulse's first write: the consumer's epoch, and so its state's type. The sets are
-- indexes, repairable and never trusted: one of another type is passed over and fails nobody. A stream of
-- another type fails its pulse, but the sign of life stands: the consumer lives.
local call, index = redis.call, redis.pcall
local clock = call('TIME')
local now_ms = string.format('%.0f', math.floor(clock[1] * 1000 + clock[2] / 1000))
local now = string.format('%.0f', clock[1] * 1000000 + clock[2])
local HOUR = 3600000
local is_any_alive = false

-- What is pending at a consumer, in order; nothing where there is no group.
local function pending_at(stream, group, consumer)
  local pending, from = {}, '-'
  while true do
    local page = redis.pcall('XPENDING', stream, group, from, '+', 1000, consumer)
    if page.err then
      if string.find(page.err, '^NOGROUP') then
        return pending
      end
      error(page)
    end
    for _, found in ipairs(page) do
      pending[#pending + 1] = found[1]
    end
    if #page < 1000 then
      return pending
    end
    from = '(' .. page[#page][1]
  end
end

local function beat(pulse)
  local stream, state, active, definition, workers, own, counter =
    unpack(KEYS, 3 + pulse * 7, 9 + pulse * 7)
  local group, consumer, epoch, status, errors, has_error, last_error, id =
    unpack(ARGV, 4 + pulse * 8, 11 + pulse * 8)
  local known = call('HMGET', state, 'epoch', 'status')
  if known[1] ~= epoch or known[2] == 'stopped' then
    return { 'R' }
  end
  call('HSET', state, 'status', status, 'lastHeartbeat', now_ms, 'errorCount', errors,
    'runId', ARGV[1], 'clientIds', ARGV[2], 'lastError', last_error, 'heartbeatMicros', now)
  if has_error == '1' then
    call('HSET', state, 'hasError', '1')
  else
    call('HDEL', state, 'hasError')
  end
  call('PEXPIRE', state, HOUR)
  index('SADD', active, consumer)
  call('PEXPIRE', active, HOUR)
  call('PEXPIRE', definition, HOUR)
  call('PEXPIRE', counter, HOUR)
  index('SADD', workers, ARGV[3])
  call('PEXPIRE', workers, HOUR)
  call('SET', own, now_ms, 'PX', HOUR)
  index('SADD', KEYS[1], id)
  index('SADD', KEYS[2], consumer)
  is_any_alive = true
  return { 'A', pending_at(stream, group, consumer) }
end

local answers = {}
for pulse = 0, (#KEYS - 2) / 7 - 1 do
  local fine, answer = pcall(beat, pulse)
  answers[#answers + 1] = fine and answer or { 'E', message(answer) }
end
if is_any_alive then
  call('PEXPIRE', KEYS[1], HOUR)
  call('PEXPIRE', KEYS[2], HOUR)
end
return answers
