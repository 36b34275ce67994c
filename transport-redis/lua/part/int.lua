-- Numbers as Redis reads them.
local function int(number)
  return string.format('%.0f', number)
end
