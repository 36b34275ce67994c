-- ensure: creates the stream and the group (at `0`) where they are missing.
--
-- Keys and arguments 1 to 5: see part/frame.lua.
-- Replies: 1 if anything was created, otherwise 0.
-- Validates before its first write: that both are missing, or which is.
return ensure() and 1 or 0
