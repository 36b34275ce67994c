-- Entries of the stream, read as core's wire reads them.

-- Whether a text is one JSON value.
local function is_json(text)
  local find, byte = string.find, string.byte
  local at, depth, stack, expect = 1, 0, {}, 'value'
  local function skip()
    at = find(text, '[^ \t\n\r]', at) or #text + 1
  end
  local function string_ends()
    at = at + 1
    while true do
      at = find(text, '[%z\1-\31"\\]', at)
      local char = at and byte(text, at)
      if char == 34 then
        at = at + 1
        return true
      elseif char == 92 and find(text, '^["\\/bfnrt]', at + 1) then
        at = at + 2
      elseif char == 92 and find(text, '^u%x%x%x%x', at + 1) then
        at = at + 6
      else
        return false
      end
    end
  end
  local function scalar_ends()
    local _, last = find(text, '^-?%d+', at)
    if not last then
      for _, word in ipairs({ 'true', 'false', 'null' }) do
        if string.sub(text, at, at + #word - 1) == word then
          at = at + #word
          return true
        end
      end
      return false
    end
    if find(text, '^-?0%d', at) then
      return false
    end
    at = last + 1
    if byte(text, at) == 46 then
      _, last = find(text, '^%.%d+', at)
      if not last then
        return false
      end
      at = last + 1
    end
    if find(text, '^[eE]', at) then
      _, last = find(text, '^[eE][+-]?%d+', at)
      if not last then
        return false
      end
      at = last + 1
    end
    return true
  end
  while true do
    skip()
    local char = byte(text, at)
    if expect == 'after' then
      if depth == 0 then
        return char == nil
      end
      local in_object = stack[depth]
      if char == 44 then
        expect = in_object and 'key' or 'value'
      elseif char == (in_object and 125 or 93) then
        depth = depth - 1
      else
        return false
      end
      at = at + 1
    elseif not char then
      return false
    elseif (expect == 'first key' and char == 125) or (expect == 'first item' and char == 93) then
      depth, at, expect = depth - 1, at + 1, 'after'
    elseif expect == 'key' or expect == 'first key' then
      if char ~= 34 or not string_ends() then
        return false
      end
      skip()
      if byte(text, at) ~= 58 then
        return false
      end
      at, expect = at + 1, 'value'
    elseif char == 123 or char == 91 then
      depth = depth + 1
      stack[depth] = char == 123
      at, expect = at + 1, char == 123 and 'first key' or 'first item'
    else
      local fine
      if char == 34 then
        fine = string_ends()
      else
        fine = scalar_ends()
      end
      if not fine then
        return false
      end
      expect = 'after'
    end
  end
end

-- A whole number, or nothing where it is none or above the most.
local function whole(text, most)
  local digits = string.match(text, '^%+?(%d+)$')
  local number = digits and tonumber(digits)
  return number and number <= most and number or nil
end

local KNOWN = {
  callId = 'call', functionName = 'name', input = 'input', item = 'item',
  responseChannel = 'channel', timestamp = 'timestamp', deadline = 'deadline', attempt = 'attempt',
  takeover = 'takeover', replyTo = 'reply', traceparent = 'trace', idempotencyKey = 'key',
  resultStream = 'streams',
}

-- Of a field that stands twice the last one counts.
local function last_of(fields, wanted)
  for at = #fields - 1, 1, -2 do
    if fields[at] == wanted then
      return fields[at + 1]
    end
  end
  return nil
end

-- The call that the fields are, or nothing where they are none. `id` gives an older caller's entry its
-- deadline. What the open hash points to was checked when it was submitted.
local function decode(id, fields, trusted)
  local found = {}
  for at = 1, #fields, 2 do
    local known = KNOWN[fields[at]]
    if known then
      found[known] = fields[at + 1]
    end
  end
  local name = found.call
  if not name or not found.input or #name < 1 or #name > 1024 then
    return nil
  end
  local open = not trusted and get_open(name) or nil
  local ours = open and open.entry == id
  if not (trusted or ours) and not is_json(found.input) then
    return nil
  end
  local body = { call = name, input = found.input, fields = fields, open = open, ours = ours }
  if found.deadline then
    local deadline = whole(found.deadline, 18446744073709551615)
    if not deadline then
      return nil
    end
    body.deadline = math.min(deadline, 8e12) * 1000
  else
    body.deadline = (tonumber(string.match(id or '', '^(%d+)')) or 0) * 1000 + 300000000
  end
  body.attempt = found.attempt and whole(found.attempt, 4294967295) or not found.attempt and 1 or nil
  body.takeovers = found.takeover and whole(found.takeover, 4294967295) or not found.takeover and 0 or nil
  if not body.attempt or not body.takeovers then
    return nil
  end
  body.attempt = math.max(body.attempt, 1)
  if #(found.reply or '') > 1024 or #(found.key or '') > 1024 then
    return nil
  end
  body.reply = found.reply or ''
  body.streams = found.streams == '1'
  return body
end

local function fields_at(id)
  local found = call('XRANGE', CALLS, id, id)[1]
  return found and found[2]
end

local function body_at(id)
  local fields = fields_at(id)
  return fields and decode(id, fields)
end

-- The fields of a call to be written again, with its present counts.
local function written(body, attempt, takeovers, ours)
  local out, fields = {}, body.fields
  for at = 1, #fields, 2 do
    local field = fields[at]
    local ours_to_write = field == 'deadline' or field == 'attempt' or field == 'takeover'
      or field == 'olderPeer'
    -- Far more fields than a call has: only those that are known are carried along.
    if not ours_to_write and (#fields <= 400 or KNOWN[field]) and #out < 800 then
      out[#out + 1], out[#out + 2] = field, fields[at + 1]
    end
  end
  for _, pair in ipairs({
    { 'deadline', int(math.ceil(body.deadline / 1000)) },
    { 'attempt', int(attempt) },
    { 'takeover', int(takeovers) },
  }) do
    out[#out + 1], out[#out + 2] = pair[1], pair[2]
  end
  if not ours then
    out[#out + 1], out[#out + 2] = 'olderPeer', '1'
  end
  return out
end

local function add(fields)
  ensure()
  return call('XADD', CALLS, '*', unpack(fields, 1, math.min(#fields, 1000)))
end

-- Acknowledges and deletes an entry.
local function drop(id)
  call('XACK', CALLS, GROUP, id)
  return call('XDEL', CALLS, id) == 1
end

-- Whom an entry is pending at.
local function owner(id)
  local found = redis.pcall('XPENDING', CALLS, GROUP, id, id, 1)
  return not found.err and found[1] and found[1][2] or nil
end

-- Attempts and takeovers of an older peer's entry: nobody counts them elsewhere.
local function effective(body)
  return math.min(body.attempt + body.takeovers, 4294967295)
end
