-- The indexes of workers, as older peers keep them: repairable and never trusted. `workers` is the set of
-- a function's name; a worker's own key is `prefix`, the worker, `:` and the name.

-- Takes the worker of a consumer that goes out of them, unless it serves the function by another consumer.
-- Called while the state of the one that goes stands. Where it cannot be told whom else the worker serves
-- by, it stays listed: that ends by itself within the hour.
local function forget_worker(consumer, workers, prefix, name)
  local worker = call('HGET', STATE .. consumer, 'workerId')
  local others = redis.pcall('SMEMBERS', KEYS[7])
  if not worker or others.err then
    return
  end
  for _, other in ipairs(others) do
    if other ~= consumer then
      local state = redis.pcall('HMGET', STATE .. other, 'workerId', 'epoch', 'status')
      if state.err or (state[1] == worker and state[2] and state[3] ~= 'stopped') then
        return
      end
    end
  end
  unlist(workers, worker)
  call('DEL', prefix .. worker .. ':' .. name)
end
