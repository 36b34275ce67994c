-- discover: the definitions that are registered. Writes nothing. Each is answered or fails alone.
--
-- Keys: 1 the set of all functions. Arguments: 1 prefix of definitions, 2 scope or empty for all.
-- Replies: {{NAME:SCOPE, {field, value, ...} or error}, ...} in no order.
local found = {}
for _, id in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  if ARGV[2] == '' or string.sub(id, -#ARGV[2] - 1) == ':' .. ARGV[2] then
    local fields = redis.pcall('HGETALL', ARGV[1] .. id)
    if fields.err then
      found[#found + 1] = { id, message(fields) }
    elseif #fields > 0 then
      found[#found + 1] = { id, fields }
    end
  end
end
return found
