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
