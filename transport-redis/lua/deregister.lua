-- deregister: removes a consumer that stopped, by epoch; what is pending at it goes back to the stream.
-- Where there is no state any more, a name that a late read re-created is dissolved all the same. The last
-- consumer takes the stream with it, where that holds nothing.
--
-- Keys 1 to 8 and arguments 1 to 5: see part/frame.lua; key 9 the set of all consumers, 10 the set of
-- workers; 6 consumer, 7 epoch, and what part/worker.lua takes: 8 prefix, 9 the function's name.
-- Replies: how many entries were given back.
-- Validates before its first write: the consumer's epoch.
local consumer = ARGV[6]
local epoch = registered(consumer)
if epoch and epoch ~= ARGV[7] then
  return 0
end
local released = dissolve(consumer, false)
forget_worker(consumer, KEYS[10], ARGV[8], ARGV[9])
leave_stopped(consumer)
leave_active(consumer)
unlist(KEYS[9], consumer)
closed_any = true
forget_unserved()
return released
