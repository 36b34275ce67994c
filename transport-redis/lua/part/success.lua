-- How a success's record ends, as core's wire writes it: UNTIL_TIME, a time, SINCE_TIME, a number of attempts, and
-- a brace. Its begin, `{"callId":ID,"result":TEXT`, comes with the decision.
local UNTIL_TIME = ',"error":null,"timestamp":'
local SINCE_TIME = ',"status":"success","outcome":"success","attempts":'
