-- create_branch, read_branches, progress
--
-- KEYS 1: session key
-- create_branch  ARGV branch, name, pool, behaviour, token, owner, lease_ms, copies, n, n × (field, value),
--                n, n × (kind, head, body)                             -> OK | DUPLICATE | UNKNOWN
-- read_branches  ARGV start, count, n, n × branch; n = -1: by place     -> list of (now, hash, waiting, inbox, outbox)
-- progress       ARGV n, n × (branch, entry)                           -> the branches that have not come past it

register('create_branch', function(keys, args)
  local text, number, list = reader(args)
  local id, name, pool, behaviour = text(), text(), text(), text()
  local token, owner, lease_ms, copies = text(), text(), number(), text()
  local fields = list(function() return {text(), text()} end)
  local records = list(function() return {kind = text(), head = text(), body = text()} end)
  local session = open_session(keys[1])
  local key = branch_key(keys[1], id)
  if not session then return 'UNKNOWN' end
  if redis.call('EXISTS', key) == 1 then return 'DUPLICATE' end
  if copies ~= '' and redis.call('EXISTS', branch_key(keys[1], copies)) == 0 then return 'UNKNOWN' end
  if not is_stream(key .. ':log') then return redis.error_reply('The log of ' .. id .. ' is no stream.') end
  local place = redis.call('HINCRBY', keys[1], 'places', 1)
  redis.call('ZADD', keys[1] .. ':branches', place, id)
  redis.call('HSET', key, 'id', id, 'session', session.id, 'name', name, 'pool', pool, 'behaviour', behaviour,
    'state', 'open', 'cursor', '0-0', 'version', #records > 0 and 1 or 0)
  for _, pair in ipairs(fields) do redis.call('HSET', key, 'x:' .. pair[1], pair[2]) end
  if pool == '' and token ~= '' then
    redis.call('HSET', key, 'token', token, 'owner', owner, 'lease', now_ms() + lease_ms)
  end
  if copies ~= '' then
    redis.call('HINCRBY', branch_key(keys[1], copies), 'copies', 1)
    redis.call('HSET', key, 'copy_of', copies)
  end
  write_records(key, 1, records)
  tell(session, 'k', 'created', 'branch', id, 'name', name, 'pool', pool)
  return 'OK'
end)

local function describe(session_key, branch)
  local key = branch_key(session_key, branch)
  local hash = redis.call('HGETALL', key)
  if #hash == 0 then return nil end
  return {hash, redis.call('XLEN', key .. ':mailbox'), redis.call('XLEN', key .. ':inbox'),
    redis.call('XLEN', key .. ':outbox')}
end

register('read_branches', function(keys, args)
  local text, number, list = reader(args)
  local start, size, named = number(), number(), number()
  local ids = {}
  if named < 0 then
    ids = redis.call('ZRANGEBYSCORE', keys[1] .. ':branches', '(0', '+inf', 'LIMIT', start, size)
  else
    for i = 1, named do ids[i] = text() end
  end
  local found = {now_ms()}
  for _, id in ipairs(ids) do found[#found + 1] = describe(keys[1], id) end
  return found
end, {'no-writes'})

register('progress', function(keys, args)
  local text, number, list = reader(args)
  local open = {}
  for _, target in ipairs(list(function() return {text(), text()} end)) do
    local values = redis.call('HMGET', branch_key(keys[1], target[1]), 'state', 'cursor')
    if values[1] == 'open' and after(target[2], values[2]) then open[#open + 1] = target[1] end
  end
  return open
end, {'no-writes'})
