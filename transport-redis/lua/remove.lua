-- remove: removes a consumer found dead, if it is still as observed; what is pending at it is taken over. The
-- last consumer takes the stream with it, where that holds nothing.
--
-- Keys 1 to 8 and arguments 1 to 5: see part/frame.lua; key 9 the set of all consumers, 10 the set of
-- workers; 6 consumer, 7 epoch, 8 heartbeat in microseconds, 9 client ids, 10 heartbeat in ms, and what
-- part/worker.lua takes: 11 prefix, 12 the function's name.
-- Replies: {'R', entries taken over} removed, {'K'} kept.
-- Validates before its first write: epoch, heartbeat and client ids.
local consumer = ARGV[6]
local state = STATE .. consumer
local seen = call('HMGET', state, 'epoch', 'lastHeartbeat', 'clientIds', 'status', 'heartbeatMicros')
if seen[4] == 'stopped' or seen[1] ~= ARGV[7] or seen[2] ~= ARGV[10] or seen[3] ~= ARGV[9] then
  return { 'K' }
end
-- Two heartbeats may stand within one millisecond.
local micros = seen[5] or ''
if string.sub(micros, 1, -4) == seen[2] and micros ~= ARGV[8] then
  return { 'K' }
end
local taken = dissolve(consumer, true)
forget_worker(consumer, KEYS[10], ARGV[11], ARGV[12])
leave_stopped(consumer)
leave_active(consumer)
unlist(KEYS[9], consumer)
closed_any = true
forget_unserved()
return { 'R', taken }
