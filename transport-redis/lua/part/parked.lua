-- Parking: call -> JSON array of texts `nonce ours field value ...`; `ours` is `1` where the open hash has
-- a record of the call, the nonce is empty unless the call is deferred.
local function get_parked(id)
  local text = call('HGET', PARKED, id)
  if not text then
    return nil
  end
  local list = cjson.decode(text)
  local fields = {}
  for at = 3, #list do
    fields[at - 2] = list[at]
  end
  local body = decode(nil, fields, true)
  if not body then
    error({ err = 'PROTOCOL a parked call cannot be read' })
  end
  return { nonce = list[1] ~= '' and list[1], ours = list[2] == '1', body = body }
end

-- To be called before the first write of whatever parks or unparks: that both keys have their type.
local function may_park()
  call('HLEN', PARKED)
  call('ZSCORE', DUE, '')
end

-- Parks a call; the open record of a call of ours follows it.
local function park(id, fields, ours, due, nonce, open)
  local list = { nonce or '', ours and '1' or '0' }
  for at = 1, #fields do
    list[at + 2] = fields[at]
  end
  call('HSET', PARKED, id, cjson.encode(list))
  call('ZADD', DUE, int(due), id)
  if ours then
    open.entry, open.begun = false, false
    put_open(id, open)
  end
end

local function unpark(id)
  call('ZREM', DUE, id)
  return call('HDEL', PARKED, id) == 1
end
