-- How many entries the stream of calls holds. Of another type: refused here, before any write.
local streamed = call('XLEN', CALLS)
