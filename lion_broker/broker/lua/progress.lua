-- progress: which branches have not yet committed past a mailbox entry, or have mail of theirs to try again.
--
-- KEYS 1: session key
-- ARGV n, n × (branch, entry)
-- -> the branches that have not come past it

-- Whether a mailbox holds anything up to an entry: what was withdrawn the cursor never comes past.
local function holds_upto(key, entry)
  local found = redis.pcall('XRANGE', key .. ':mailbox', '-', entry, 'COUNT', 1)
  return found.err or #found > 0
end

register('progress', function(keys, args)
  local text, number, list = reader(args)
  local open = {}
  for _, target in ipairs(list(function() return {text(), text()} end)) do
    local key = branch_key(keys[1], target[1])
    local values = redis.call('HMGET', key, 'state', 'cursor', 'deferred')
    if values[1] == 'open' and (values[3] or (after(target[2], values[2]) and holds_upto(key, target[2]))) then
      open[#open + 1] = target[1]
    end
  end
  return open
end, {'no-writes'})
