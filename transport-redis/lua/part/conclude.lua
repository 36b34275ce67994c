-- Outcomes: written once, where the call asks for it to a stream of its own too, and replied to whoever asked.
local KINDS =
  { success = true, error = true, expired = true, cancelled = true, dead_lettered = true }

-- The outcome that a result's text tells; an older peer's tells only a status.
local function kind_of(text)
  local fine, members = pcall(cjson.decode, text)
  if not fine or type(members) ~= 'table' then
    return 'error'
  end
  local outcome = members.outcome
  if type(outcome) == 'string' and KINDS[outcome] then
    return outcome
  end
  return members.status == 'success' and 'success' or 'error'
end

local function result_kind(id)
  local text = call('GET', RESULT .. id)
  return text and kind_of(text)
end

-- Whether an outcome stands. A result of another type is an error, here as to whoever reads it.
local function is_decided(id)
  return call('GET', RESULT .. id) ~= false
end

local EXPIRED = { kind = 'expired', message = 'the deadline passed' }
local CANCELLED = { kind = 'cancelled', message = 'the call was cancelled' }

-- Adds a dead letter: the call's fields as they stood, then why it is here.
local function bury(fields, outcome, attempts, original)
  local out = {}
  for at = 1, math.min(#fields, 400) do
    out[at] = fields[at]
  end
  for _, text in ipairs({
    'error', outcome.message, 'failure', outcome.failure, 'attempts', int(attempts),
    'failedAt', now_ms, 'originalId', original or '',
  }) do
    out[#out + 1] = text
  end
  call('XADD', LETTERS, 'MAXLEN', ARGV[5], '*', unpack(out))
end

-- Writes the outcome of an undecided call and removes the call from where it stands. The caller has found
-- out that none stands, and where the call stands; what else is written has its type, or nothing is.
local function conclude(id, standing, at_hand, outcome, attempts)
  closed_any = true
  local buried = outcome.kind == 'dead_lettered'
  local open = standing.open
  local entry = standing.entry or (open and open.entry) or nil
  local caller, streams, fields = '', false, nil
  if open then
    caller, streams = open.reply, open.streams
    if buried then
      local parked = not entry and get_parked(id)
      fields = parked and parked.body.fields or (entry and fields_at(entry)) or nil
    end
  else
    local body = (standing.parked or standing).body
    caller, streams, fields = body.reply, body.streams, body.fields
  end
  local stream = streams and result_stream(id)
  if stream then
    call('XLEN', stream)
  end
  if buried then
    call('XLEN', LETTERS)
  end
  if not entry then
    may_park()
  end
  -- An older caller's duplicate of a call of ours goes with it.
  local duplicate = at_hand and at_hand ~= entry and body_at(at_hand) or nil
  if duplicate and duplicate.call ~= id then
    duplicate = nil
  end
  if buried then
    fields = fields or (duplicate and duplicate.fields) or { 'callId', id }
    bury(fields, outcome, attempts, entry)
  end
  if entry then
    drop(entry)
  end
  if duplicate then
    drop(at_hand)
  end
  if open then
    call('HDEL', OPEN, id)
  end
  if not entry then
    unpark(id)
  end
  local text = record_text(id, outcome, attempts)
  call('SET', RESULT .. id, text, 'PX', '300000')
  if stream then
    call('XADD', stream, '*', 'record', text)
    call('PEXPIRE', stream, 300000)
  end
  if caller ~= '' then
    reply(caller, text)
  end
end

-- Clears what a decided call left behind; answers whether anything was there.
local function clear(id, at_hand)
  closed_any = true
  local open = get_open(id)
  may_park()
  local cleared = unpark(id)
  if open then
    cleared = true
    call('HDEL', OPEN, id)
    if open.entry then
      drop(open.entry)
    end
  end
  if at_hand and not (open and open.entry == at_hand) then
    local body = body_at(at_hand)
    if body and body.call == id then
      cleared = drop(at_hand) or cleared
    end
  end
  return cleared
end

-- Removes the stream of a function that nobody serves once it holds nothing, and nobody reads it by a name
-- in its group: no other step would ever remove it. The next call creates it again, and whoever serves by
-- then is given that call, as a group begins at `0`. Called at the end of a script that may have closed a
-- call, or removed a consumer.
local function forget_unserved()
  if not closed_any or call('EXISTS', KEYS[7], OPEN, PARKED) > 0
    or call('EXISTS', CALLS) == 0 or call('XLEN', CALLS) > 0 then
    return
  end
  for _, group in ipairs(call('XINFO', 'GROUPS', CALLS)) do
    if group[2] ~= GROUP or group[4] > 0 then
      return
    end
  end
  call('DEL', CALLS)
end
