-- An ordinary submit (part/ordinary_submits.lua tells which those are) that comes alone: the caller waits for
-- this script, so it is spared what only batches and extraordinary calls need. Any other goes on below.

-- From so many open calls on, a record is longer than a listpack's values may be: the server would search
-- a list from its begin for each call.
local MANY = 16

if #ARGV == 16 and ARGV[10] == '0' and ARGV[11] == '' and ARGV[12] ~= '' and ARGV[13] == '' then
  local id, opened = ARGV[15], redis.pcall('HLEN', OPEN)
  local is_new = type(opened) == 'number' and opened < MANY and call('EXISTS', PARKED, RESULT .. id) == 0
    and (opened == 0 or call('HEXISTS', OPEN, id) == 0)
  if is_new and math.max(opened, streamed) < tonumber(ARGV[14]) then
    ensure()
    local deadline = now + tonumber(ARGV[9])
    local entry = add_first(id, ARGV[16], int(math.ceil(deadline / 1000)), ARGV[12])
    call('HSET', OPEN, id, int(deadline) .. ' 1 ' .. entry .. ' 0 - ' .. ARGV[12])
    return { 1 }
  end
end
