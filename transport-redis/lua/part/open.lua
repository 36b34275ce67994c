-- The open hash: call -> `deadline attempt entry cancel begun replyTo`. The deadline is in microseconds;
-- entry and begun are entry ids or `-`; cancel is `0`, as a cancel decides at once, with an `s` behind it
-- where the call asks for a result stream; replyTo may be empty.
local function get_open(id)
  local text = call('HGET', OPEN, id)
  if not text then
    return nil
  end
  local deadline, attempt, entry, cancel, begun, reply =
    string.match(text, '^(%d+) (%d+) (%S+) (%S+) (%S+) ?(.*)$')
  if not deadline then
    error({ err = 'PROTOCOL a record in the open hash cannot be read' })
  end
  return {
    deadline = tonumber(deadline),
    attempt = tonumber(attempt),
    entry = entry ~= '-' and entry,
    begun = begun ~= '-' and begun,
    reply = reply,
    streams = string.sub(cancel, -1) == 's',
  }
end

-- Where the outcome of a call that asks for it is written too: `function_results` for `result`, before
-- the call's id.
local function result_stream(id)
  return string.sub(RESULT, 1, -#'result:' - 1) .. 'function_results:' .. id
end

local function put_open(id, open)
  call('HSET', OPEN, id, int(open.deadline) .. ' ' .. int(open.attempt) .. ' ' .. (open.entry or '-')
    .. (open.streams and ' 0s ' or ' 0 ') .. (open.begun or '-') .. ' ' .. (open.reply or ''))
end
