-- Outcomes as texts, and who asked for them.

-- Whether this step closed anything.
local closed_any = false

-- The text of a record, as core's wire writes it.
local function record_text(id, outcome, attempts)
  if outcome.kind == 'success' then
    return outcome.begin .. UNTIL_TIME .. now_ms .. SINCE_TIME .. int(attempts) .. '}'
  end
  return '{"callId":' .. cjson.encode(id)
    .. ',"result":null,"error":' .. cjson.encode(outcome.message)
    .. ',"timestamp":' .. now_ms
    .. ',"status":"error","outcome":"' .. outcome.kind
    .. '","attempts":' .. int(attempts)
    .. (outcome.failure and ',"failure":"' .. outcome.failure .. '"' or '') .. '}'
end

local replies, callers = {}, {}
local function reply(caller, text)
  local texts = replies[caller]
  if not texts then
    texts = {}
    replies[caller] = texts
    callers[#callers + 1] = caller
  end
  texts[#texts + 1] = 'record'
  texts[#texts + 1] = text
end

-- One entry to each caller's reply stream where it exists: a hint, so that a stream of another type
-- fails nobody.
local function send_replies()
  for _, caller in ipairs(callers) do
    local texts = replies[caller]
    for at = 1, #texts, 1000 do
      redis.pcall('XADD', REPLIES .. caller, 'NOMKSTREAM', '*',
        unpack(texts, at, math.min(at + 999, #texts)))
    end
  end
  replies, callers = {}, {}
end
