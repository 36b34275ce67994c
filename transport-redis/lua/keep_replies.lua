-- keep_replies: creates a caller's reply stream or renews its time to live, and trims what is older than
-- the last reply seen. A new stream's ids come after that one, so that a clock that went back hides none.
--
-- Keys: 1 the reply stream. Arguments: 1 the last reply seen.
-- Replies: 1 if the stream was created, otherwise 0.
-- Validates before its first write: whether the stream exists.
local call = redis.call
local stream, after = KEYS[1], ARGV[1]
local created = call('EXISTS', stream) == 0
if created then
  call('XGROUP', 'CREATE', stream, 'creation', '$', 'MKSTREAM')
  call('XGROUP', 'DESTROY', stream, 'creation')
  if after ~= '0-0' then
    call('XSETID', stream, after)
  end
else
  call('XTRIM', stream, 'MINID', after)
end
call('PEXPIRE', stream, 60000)
return created and 1 or 0
