-- Re-appends what is pending, in one step with its removal. `taken` counts a takeover; without it a count
-- that `begin` made goes along, so that it is not made again.
local function give_back(id, taken)
  local fields = fields_at(id)
  local body = fields and decode(id, fields)
  drop(id)
  if not fields then
    return
  end
  if not body then
    add(fields)
    return
  end
  local open = body.ours and body.open
  local attempt = open and open.attempt or body.attempt
  local new = add(written(body, attempt, body.takeovers + (taken and 1 or 0), body.ours))
  if open then
    open.begun = open.begun == id and not taken and new
    open.entry = new
    put_open(body.call, open)
  end
end

-- What is pending at a consumer, in order, at most `most`.
local function pending_at(consumer, most)
  local found = redis.pcall('XPENDING', CALLS, GROUP, '-', '+', most, consumer)
  local ids = {}
  if not found.err then
    for at, pending in ipairs(found) do
      ids[at] = pending[1]
    end
  end
  return ids
end

-- Gives back all that is pending at a consumer, then removes its name. What cannot be given back stays with
-- it, fails no other, and is an error in the end.
local function dissolve(consumer, taken)
  local count, stuck, left, why = 0, {}, 0, nil
  repeat
    local most = 500 + left
    local ids = pending_at(consumer, most)
    for _, id in ipairs(ids) do
      if not stuck[id] then
        local fine, caught = pcall(give_back, id, taken)
        if fine then
          count = count + 1
        else
          stuck[id], left, why = true, left + 1, why or caught
        end
      end
    end
  until #ids < most
  if why then
    error({ err = message(why) })
  end
  redis.pcall('XGROUP', 'DELCONSUMER', CALLS, GROUP, consumer)
  return count
end
