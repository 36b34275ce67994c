-- How a success's record ends, as core's wire writes it; its begin, `{"callId":ID,"result":TEXT`, comes with the
-- decision. `attempts` is a text.
local function success_end(attempts, now_ms)
  return ',"error":null,"timestamp":' .. now_ms .. ',"status":"success","outcome":"success","attempts":'
    .. attempts .. '}'
end
