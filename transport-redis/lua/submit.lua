-- submit: adds calls to one function, N at a time; each item succeeds or fails alone.
--
-- Keys and arguments 1 to 5: see part/frame.lua. Argument 6: prefix of idempotency keys; 7: the function's
-- name; then for each item: how it is made (see part/manner.lua), call, input; then how many lead that are
-- ordinary (see part/ordinary_submits.lua).
-- Replies, one for each item, or first the number of accepted items that lead, or that number alone where no
-- other follows: {'A'} accepted, {'O'} open already, {'R', record} decided already, {'J', call, record or false} joined, {'F', open} full, {'E', error}.
-- Validates before an item's first write: result, open hash and parking (is the id new?), the idempotency
-- key, the number of open calls, and that each of these keys has its type, and the result stream that is
-- asked for. Refused as a whole where memory is out, by the server, before the script runs.
local function submit(id, input, how)
  local key, reply_to, trace = how.key, how.reply_to, how.trace
  local record = call('GET', RESULT .. id)
  if record then
    return { 'R', record }
  end
  if call('HEXISTS', OPEN, id) == 1 or call('HEXISTS', PARKED, id) == 1 then
    return { 'O' }
  end
  local keyed = key ~= '' and ARGV[6] .. key
  local joined = keyed and call('GET', keyed)
  if joined and joined ~= id then
    return { 'J', joined, call('GET', RESULT .. joined) }
  end
  local open = math.max(call('HLEN', OPEN), call('XLEN', CALLS))
  if open >= how.most then
    return { 'F', open }
  end
  local delay, streams = string.match(how.delay_us, '^(%d+)(s?)$')
  delay, streams = tonumber(delay), streams == 's'
  if delay > 0 then
    call('ZSCORE', DUE, id)
  end
  if streams then
    call('XLEN', result_stream(id))
  end
  local deadline = now + tonumber(how.deadline_us)
  local deadline_ms = int(math.ceil(deadline / 1000))
  local fields = fields_of(id, input, deadline_ms, key, reply_to, trace)
  if streams then
    fields[#fields + 1], fields[#fields + 2] = 'resultStream', '1'
  end
  local opened = { deadline = deadline, attempt = 1, reply = reply_to, streams = streams }
  ensure()
  if keyed then
    call('SET', keyed, id, 'PX', int(math.ceil(deadline / 1000 - now / 1000) + 300000))
  end
  if delay > 0 then
    call('ZADD', DUE, int(now + delay), id)
    local list = { '', '1' }
    for at = 1, #fields do
      list[at + 2] = fields[at]
    end
    call('HSET', PARKED, id, cjson.encode(list))
  else
    opened.entry = call('XADD', CALLS, '*', unpack(fields))
  end
  put_open(id, opened)
  return { 'A' }
end

while rest < last do
  if ARGV[rest] == '' then
    manner, rest = manner_at(rest + 1), rest + 7
  end
  local id, input = ARGV[rest], ARGV[rest + 1]
  rest = rest + 2
  local fine, answer = pcall(submit, id, input, manner)
  answers[#answers + 1] = fine and answer or { 'E', message(answer) }
end
return answers
