-- Numbers that may not be below zero, and errors as Redis writes them.
local function positive(number)
  return int(number > 0 and number or 0)
end

-- The text of an error that `pcall` caught.
local function message(caught)
  if type(caught) == 'table' then
    return caught.err or 'ERR unknown'
  end
  local text = tostring(caught)
  return string.find(text, '^%u+ ') and text or 'ERR ' .. text
end
