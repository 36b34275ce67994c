-- register: registers a consumer under the function's next epoch. A repeat answers the epoch and changes
-- no state: a late one must not pass for a heartbeat, nor bring back a consumer that was removed.
--
-- Keys 1 to 8 and arguments 1 to 5: see part/frame.lua; key 9 the set of all functions, 10 the set of all
-- consumers, 11 the set of workers, 12 the worker's own. Arguments: 6 consumer, 7 node, 8 server run id, 9 client ids, 10 process id, 11 name,
-- 12 scope, 13 code, 14 parameters, 15 workflow id, 16 node id, 17 description.
-- Replies: the epoch.
-- Validates before its first write: the consumer's state, and the epoch counter. The sets are indexes,
-- repairable and never trusted: one of another type is passed over and fails nobody. The definition and the
-- worker's own key are written anew, whatever stood there.
local consumer = ARGV[6]
local state = STATE .. consumer
local known = call('HMGET', state, 'epoch', 'status')
local stored = call('GET', KEYS[6])
if known[2] ~= 'stopped' then
  ensure()
end
if known[1] then
  return known[1]
end
local epoch = int(math.max((tonumber(stored) or 0) + 1, now))
call('SET', KEYS[6], epoch, 'PX', 3600000)
call('HSET', state,
  'id', consumer, 'functionName', ARGV[11], 'scope', ARGV[12], 'streamKey', CALLS, 'groupName', GROUP,
  'status', 'starting', 'startTime', now_ms, 'lastHeartbeat', now_ms, 'processId', ARGV[10],
  'workerId', ARGV[7], 'errorCount', '0', 'lastError', '', 'epoch', epoch, 'runId', ARGV[8],
  'clientIds', ARGV[9], 'heartbeatMicros', int(now))
call('PEXPIRE', state, 3600000)
call('DEL', KEYS[8])
call('HSET', KEYS[8],
  'name', ARGV[11], 'scope', ARGV[12], 'code', ARGV[13], 'parameters', ARGV[14],
  'workflowId', ARGV[15], 'nodeId', ARGV[16], 'registeredAt', now_ms, 'description', ARGV[17])
call('PEXPIRE', KEYS[8], 3600000)
for key, member in pairs({
  [KEYS[7]] = consumer, [KEYS[9]] = ARGV[11] .. ':' .. ARGV[12], [KEYS[10]] = consumer,
  [KEYS[11]] = ARGV[7],
}) do
  redis.pcall('SADD', key, member)
  call('PEXPIRE', key, 3600000)
end
call('SET', KEYS[12], now_ms, 'PX', 3600000)
return epoch
