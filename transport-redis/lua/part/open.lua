-- The open hash: call -> `deadline attempt entry cancel begun replyTo`. The deadline is in microseconds;
-- entry and begun are entry ids or `-`; cancel is `0`, as a cancel decides at once; replyTo may be empty.
local function get_open(id)
  local text = call('HGET', OPEN, id)
  if not text then
    return nil
  end
  local deadline, attempt, entry, begun, reply =
    string.match(text, '^(%d+) (%d+) (%S+) %S+ (%S+) ?(.*)$')
  if not deadline then
    error({ err = 'PROTOCOL a record in the open hash cannot be read' })
  end
  return {
    deadline = tonumber(deadline),
    attempt = tonumber(attempt),
    entry = entry ~= '-' and entry,
    begun = begun ~= '-' and begun,
    reply = reply,
  }
end

local function put_open(id, open)
  call('HSET', OPEN, id, int(open.deadline) .. ' ' .. int(open.attempt) .. ' ' .. (open.entry or '-')
    .. ' 0 ' .. (open.begun or '-') .. ' ' .. (open.reply or ''))
end

local ensured = false
-- Creates stream and group (at `0`) where they are missing; answers whether anything was.
local function ensure()
  if ensured then
    return false
  end
  ensured = true
  if call('EXISTS', CALLS) == 1 then
    for _, group in ipairs(call('XINFO', 'GROUPS', CALLS)) do
      if group[2] == GROUP then
        return false
      end
    end
  end
  call('XGROUP', 'CREATE', CALLS, GROUP, '0', 'MKSTREAM')
  return true
end
