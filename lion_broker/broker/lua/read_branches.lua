-- read_branches: where branches stand, with the server's own view of their leases.
--
-- KEYS 1: session key
-- ARGV start, count, n, n × branch; n = -1: by place
-- -> {now, (hash, waiting, inbox, outbox, delayed), …}

local function describe(session_key, branch)
  local key = branch_key(session_key, branch)
  local hash = redis.call('HGETALL', key)
  if #hash == 0 then return nil end
  return {hash, redis.call('XLEN', key .. ':mailbox'), redis.call('XLEN', key .. ':inbox'),
    redis.call('XLEN', key .. ':outbox'), redis.call('ZCARD', key .. ':delayed')}
end

register('read_branches', function(keys, args)
  local text, number, list = reader(args)
  local start, size, named = number(), number(), number()
  local ids = {}
  if named < 0 then
    -- By rank: a LIMIT would walk over all branches before the first one. Removed ones stand in front.
    local first = redis.call('ZCOUNT', keys[1] .. ':branches', '-inf', '(0') + start
    ids = redis.call('ZRANGE', keys[1] .. ':branches', first, first + size - 1)
  else
    for i = 1, named do ids[i] = text() end
  end
  local found = {now_ms()}
  for _, id in ipairs(ids) do found[#found + 1] = describe(keys[1], id) end
  return found
end, {'no-writes'})
