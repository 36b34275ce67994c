-- sweep: the housekeeping of one function, bounded. First what older peers acknowledged and what of theirs
-- is overdue, then what of ours is overdue, then what is due, then names without state. Each call and each
-- name is dealt with or fails alone; where any failed, the first error is the answer, and the rest is done.
--
-- Keys 1 to 8 and arguments 1 to 5: see part/frame.lua; 6 most attempts, 7 how long a consumer without
-- state may be idle (ms), 8 the most calls of each kind, 9 where the look through the stream goes on,
-- 10 where the look through the open hash goes on (both from the sweep before), 11 and 12 how many entries
-- and records to look at.
-- Replies: {promoted, expired, dead-lettered, closed, robbed, names removed, 1 if the limit was reached,
-- time until the next is due or false, the next stream cursor, the next hash cursor}, or an error.
-- Validates before each call's first write: where it stands, and whatever part/conclude.lua does.
local attempts_max, idle_ms, limit = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local promoted, expired, dead, closed, robbed, names_removed, more = 0, 0, 0, 0, 0, 0, 0
local ACKED = {
  kind = 'error',
  failure = 'acked_without_outcome',
  message = 'an older peer acknowledged the call and wrote no outcome',
}

-- Does one thing; answers what it answers, or nothing where it failed.
local failed
local function try(what, ...)
  local fine, answer = pcall(what, ...)
  if not fine then
    failed = failed or message(answer)
    return nil
  end
  return answer
end

local delivered
if call('EXISTS', CALLS) == 1 then
  for _, group in ipairs(call('XINFO', 'GROUPS', CALLS)) do
    if group[2] == GROUP then
      for at = 1, #group, 2 do
        if group[at] == 'last-delivered-id' then
          delivered = group[at + 1]
        end
      end
    end
  end
end

local function split(id)
  local ms, seq = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(seq)
end

local function is_delivered(id)
  if not delivered then
    return false
  end
  local ms, seq = split(id)
  local last_ms, last_seq = split(delivered)
  return ms < last_ms or (ms == last_ms and seq <= last_seq)
end

-- Acknowledged, in nobody's pending list, and not deleted.
local function is_acked(id)
  return is_delivered(id) and not owner(id)
end

local function close_overdue(id, standing, at_hand)
  if is_decided(id) then
    clear(id, at_hand)
  else
    conclude(id, standing, at_hand, EXPIRED, attempts_begun(id, standing))
  end
end

-- Answers whether the entry was closed.
local function close_acked(id, body)
  local decided = body and is_decided(body.call)
  if body and not decided and body.deadline > now then
    return false
  end
  if closed == limit then
    more = 1
    return false
  end
  if not body then
    drop(id)
  elseif decided then
    clear(body.call, id)
  else
    local standing = locate(body.call, id)
    conclude(body.call, standing, id, ACKED, math.max(attempts_begun(body.call, standing), 1))
  end
  closed = closed + 1
  return true
end

-- Closes what is acknowledged; notes what of older peers is overdue.
local older_overdue = {}
local function look_at(id, fields)
  local acked = is_acked(id)
  local name = last_of(fields, 'callId')
  local open = name and get_open(name)
  if acked or not (open and open.entry == id) then
    local body = decode(id, fields)
    if not (acked and close_acked(id, body)) and body and not body.ours and body.deadline <= now then
      older_overdue[#older_overdue + 1] = { deadline = body.deadline, id = id, body = body }
    end
  end
end

local function look_through_stream(cursor, budget)
  local began_at = cursor
  while budget > 0 do
    local page = call('XRANGE', CALLS, cursor, '+', 'COUNT', math.min(budget, 100))
    for _, found in ipairs(page) do
      cursor = '(' .. found[1]
      try(look_at, found[1], found[2])
    end
    budget = budget - 100
    if #page < 100 then
      cursor = '-'
      break
    end
  end
  return more == 1 and began_at or cursor
end

-- Notes what of ours is overdue.
local overdue = {}
local function look_through_open(cursor, budget)
  repeat
    local scanned = call('HSCAN', OPEN, cursor, 'COUNT', 100)
    cursor = scanned[1]
    for at = 1, #scanned[2], 2 do
      local open = try(get_open, scanned[2][at])
      if open and open.deadline <= now then
        overdue[#overdue + 1] = { deadline = open.deadline, id = scanned[2][at] }
      end
    end
    budget = budget - 100
  until cursor == '0' or budget <= 0
  return cursor
end

-- Expires one of what was noted, if it still stands. Answers whether the limit was reached.
local function expire_one(it)
  local standing, at_hand
  if it.body then
    standing, at_hand = fields_at(it.id) and { kind = 'entry', entry = it.id, body = it.body }, it.id
  else
    local open = get_open(it.id)
    standing = open and { kind = 'open', open = open }
  end
  if not standing then
    return false
  end
  if expired == limit then
    more = 1
    return true
  end
  close_overdue(it.body and it.body.call or it.id, standing, at_hand)
  expired = expired + 1
  return false
end

-- Expires what was noted, the longest overdue first. Answers whether the limit was reached.
local function expire(noted)
  table.sort(noted, function(one, other)
    return one.deadline < other.deadline or (one.deadline == other.deadline and one.id < other.id)
  end)
  for _, it in ipairs(noted) do
    if try(expire_one, it) then
      return true
    end
  end
  return false
end

-- One that is due goes on, or ends. Answers whether the limit was reached.
local function promote_one(id)
  local parked = get_parked(id)
  local standing = locate(id, nil)
  if not parked then
    call('ZREM', DUE, id)
  elseif is_decided(id) then
    if closed == limit then
      return true
    end
    clear(id, nil)
    closed = closed + 1
  elseif standing.deadline <= now then
    -- Overdue and not noted above, or beyond the limit: it neither goes on nor fails.
    if expired == limit then
      return true
    end
    close_overdue(id, standing, nil)
    expired = expired + 1
  elseif parked.nonce and parked.body.attempt >= attempts_max then
    conclude(id, standing, nil, {
      kind = 'dead_lettered',
      failure = 'lease_ended',
      message = "the deferral's lease ended without a completion",
    }, parked.body.attempt)
    dead = dead + 1
  else
    unpark(id)
    local open = parked.ours and standing.open
    local attempt = parked.body.attempt + (parked.nonce and 1 or 0)
    local new = add(written(parked.body, attempt, parked.body.takeovers, parked.ours))
    if open then
      open.attempt = parked.nonce and attempt or open.attempt
      open.entry = new
      put_open(id, open)
    end
    promoted = promoted + 1
  end
  return false
end

local function promote()
  -- Each counts as one of four kinds.
  for _, id in ipairs(call('ZRANGEBYSCORE', DUE, '-inf', int(now), 'LIMIT', 0, limit * 4 + 1)) do
    if promoted == limit or dead == limit or try(promote_one, id) then
      more = 1
      return
    end
  end
end

local function take(id)
  give_back(id, true)
  return true
end

-- Gives back what is pending at a name without state, then removes the name. Answers whether the limit was
-- reached.
local function rob(consumer)
  local left = false
  for _, id in ipairs(pending_at(consumer, limit - robbed + 1)) do
    if robbed == limit then
      return true
    end
    if try(take, id) then
      robbed = robbed + 1
    else
      left = true
    end
  end
  if left then
    return false
  end
  call('XGROUP', 'DELCONSUMER', CALLS, GROUP, consumer)
  unlist(KEYS[7], consumer)
  names_removed = names_removed + 1
  return false
end

local function is_idle(name)
  local told = {}
  for at = 1, #name, 2 do
    told[name[at]] = name[at + 1]
  end
  return told.idle >= idle_ms and not registered(told.name) and told.name
end

local function rob_stateless()
  if not delivered then
    return
  end
  local idle = {}
  for _, name in ipairs(call('XINFO', 'CONSUMERS', CALLS, GROUP)) do
    idle[#idle + 1] = try(is_idle, name) or nil
  end
  table.sort(idle)
  for _, consumer in ipairs(idle) do
    if try(rob, consumer) then
      more = 1
      return
    end
  end
end

local stream_cursor = look_through_stream(ARGV[9], tonumber(ARGV[11]))
local open_cursor = try(look_through_open, ARGV[10], tonumber(ARGV[12]))
-- What was noted and is left over is found again from where this look began.
if expire(overdue) then
  open_cursor = ARGV[10]
end
if expire(older_overdue) then
  stream_cursor = ARGV[9]
end
try(promote)
rob_stateless()
send_replies()
closed_any = closed_any or closed > 0 or names_removed > 0
forget_unserved()
if failed then
  return redis.error_reply(failed)
end
local first = call('ZRANGE', DUE, 0, 0, 'WITHSCORES')
return {
  promoted, expired, dead, closed, robbed, names_removed, more,
  first[2] and positive(tonumber(first[2]) - now) or false, stream_cursor, open_cursor,
}
