-- Stream and group of a function.

local ensured = false
-- Creates stream and group (at `0`) where they are missing; answers whether anything was.
local function ensure()
  if ensured then
    return false
  end
  ensured = true
  -- The cheapest question that only a group answers.
  if not redis.pcall('XPENDING', CALLS, GROUP, '0-1', '0-1', '1').err then
    return false
  end
  local is_new = call('EXISTS', CALLS) == 0
  call('XGROUP', 'CREATE', CALLS, GROUP, '0', 'MKSTREAM')
  if is_new then
    -- One that was removed within this millisecond gave ids of it away: none is given twice.
    call('XSETID', CALLS, now_ms .. '-' .. int(now % 1000))
  end
  return true
end
