-- Stream and group of a function.

local ensured = false
-- Creates stream and group (at `0`) where they are missing; answers whether anything was.
local function ensure()
  if ensured then
    return false
  end
  ensured = true
  local groups = redis.pcall('XINFO', 'GROUPS', CALLS)
  for _, group in ipairs(groups) do
    if group[2] == GROUP then
      return false
    end
  end
  call('XGROUP', 'CREATE', CALLS, GROUP, '0', 'MKSTREAM')
  return true
end
