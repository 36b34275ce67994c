-- Decides one call. In this order: an outcome that stands overrules; a deadline that passed expires,
-- whatever the verdict's authority; then the authority is checked.
--
-- `verdict`: S success (x1 how its record begins), E error, D dead-lettered (x1 the failure's kind,
-- x2 its message), C cancelled, X expired. `by`: L lease (by1 consumer, by2 epoch, the entry is at hand),
-- T token (by1 nonce), - neither.
-- Answers {'D'} done, {'O', outcome} overruled, {'F'} fenced, {'N', remaining} not due, {'0'} absent.
local function decide(id, verdict, at_hand, attempts, by, by1, by2, x1, x2)
  at_hand = at_hand ~= '' and at_hand
  local kind = result_kind(id)
  if kind then
    clear(id, at_hand)
    return { 'O', kind }
  end
  local standing = locate(id, at_hand)
  if not standing and (verdict == 'C' or verdict == 'X') then
    standing = locate_older(id)
  end
  if not standing then
    return { '0' }
  end
  if standing.deadline <= now and (verdict == 'X' or standing.open) then
    conclude(id, standing, at_hand, EXPIRED, attempts)
    if verdict == 'X' then
      return { 'D' }
    end
    return { 'O', 'expired' }
  end
  local outcome
  if verdict == 'S' then
    outcome = { kind = 'success', begin = x1 }
  elseif verdict == 'C' then
    outcome = CANCELLED
  elseif verdict == 'X' then
    return { 'N', positive(standing.deadline - now) }
  else
    local authorised
    if by == 'L' then
      authorised = proves(id, standing, at_hand, by1, by2)
    else
      local parked = standing.parked
      if standing.open and not standing.open.entry then
        parked = get_parked(id)
      end
      authorised = parked and parked.nonce == by1
    end
    if not authorised then
      return { 'F' }
    end
    outcome = { kind = verdict == 'E' and 'error' or 'dead_lettered', failure = x1, message = x2 }
  end
  conclude(id, standing, at_hand, outcome, attempts)
  return { 'D' }
end
