-- Where an undecided call stands: in the open hash (a call of ours), parked or in the stream without a
-- record there (an older peer's, found by the entry at hand).
local function locate(id, at_hand)
  local open = get_open(id)
  if open then
    return { kind = 'open', open = open, deadline = open.deadline }
  end
  local parked = get_parked(id)
  if parked then
    return { kind = 'parked', parked = parked, deadline = parked.body.deadline }
  end
  local body = at_hand and body_at(at_hand)
  if body and body.call == id then
    return { kind = 'entry', entry = at_hand, body = body, deadline = body.deadline }
  end
  return nil
end

-- The first entry that an older caller added for this call, searched for among the first 20,000.
local function locate_older(id)
  local from = '-'
  for _ = 1, 200 do
    local page = call('XRANGE', CALLS, from, '+', 'COUNT', 100)
    for _, found in ipairs(page) do
      if last_of(found[2], 'callId') == id then
        local body = decode(found[1], found[2])
        if body then
          return { kind = 'entry', entry = found[1], body = body, deadline = body.deadline }
        end
      end
      from = '(' .. found[1]
    end
    if #page < 100 then
      return nil
    end
  end
  return nil
end

-- Attempts that were begun, as far as the store can tell: a delivered call counts as begun.
local function attempts_begun(id, standing)
  local open = standing.open or get_open(id)
  local parked = standing.parked or get_parked(id)
  if parked then
    return (open or parked.body).attempt - (parked.nonce and 0 or 1)
  end
  local entry = standing.entry or (open and open.entry)
  local body = standing.body or (entry and body_at(entry))
  if not body then
    return open and open.attempt or 0
  end
  local attempt = open and open.attempt or effective(body)
  if body.takeovers == 0 and not owner(entry) then
    attempt = attempt - 1
  end
  return attempt
end

-- The entry is pending at the lease's consumer, which is registered under the lease's epoch.
local function holds(entry, consumer, epoch)
  return owner(entry) == consumer and registered(consumer) == epoch
end

-- The lease holds, and its entry is this call's.
local function proves(id, standing, entry, consumer, epoch)
  if not holds(entry, consumer, epoch) then
    return false
  end
  if standing.open and standing.open.entry == entry or standing.entry == entry then
    return true
  end
  local body = body_at(entry)
  return body ~= nil and body ~= false and body.call == id
end
