-- read_due: how much waits for a moment to come.
--
-- KEYS 1: lion:{t}:due
-- ARGV limit
-- -> {branches with something due, mails of the first of them that are to be tried again}

register('read_due', function(keys, args)
  local branches = redis.pcall('ZCARD', keys[1])
  if type(branches) ~= 'number' then return {0, 0} end
  local retrying = 0
  for _, name in ipairs(redis.call('ZRANGE', keys[1], 0, tonumber(args[1]) - 1)) do
    local session, branch = string.match(name, '^([^/]*)/(.*)$')
    local deferred = session and redis.pcall('HGET', branch_key(root_of(keys[1]) .. 's:' .. session, branch), 'deferred')
    retrying = retrying + (type(deferred) == 'string' and tonumber(deferred) or 0)
  end
  return {branches, retrying}
end, {'no-writes'})
