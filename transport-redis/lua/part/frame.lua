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
local now_ms = clock[1] .. string.sub('00000' .. clock[2], -6, -4)
-- Of another type: refused here, before any write.
local streamed = call('XLEN', CALLS)
