-- The indexes of workers, as older peers keep them: repairable and never trusted. `workers` is the set of
-- a function's name; a worker's own key is `prefix`, the worker, `:` and the name.

-- Takes the worker of a consumer that goes out of them, unless it serves the function by another consumer.
-- Called while the state of the one that goes stands.
local function forget_worker(consumer, workers, prefix, name)
  local worker = call('HGET', STATE .. consumer, 'workerId')
  if not worker then
    return
  end
  for _, other in ipairs(call('SMEMBERS', KEYS[7])) do
    local is_its = other ~= consumer and call('HGET', STATE .. other, 'workerId') == worker
    if is_its and registered(other) then
      return
    end
  end
  call('SREM', workers, worker)
  call('DEL', prefix .. worker .. ':' .. name)
end
