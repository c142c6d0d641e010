-- create_session, update_session, delete_session
--
-- KEYS 1: session key
-- create_session  ARGV session, delivery, cap, n, n × (field, value)   -> OK | DUPLICATE
-- update_session  ARGV n, n × (field, value)                           -> OK | UNKNOWN
-- delete_session  ARGV limit                                           -> 1 when more is left, else 0

register('create_session', function(keys, args)
  local text, number, list = reader(args)
  local id, delivery, cap = text(), text(), text()
  local fields = list(function() return {text(), text()} end)
  if redis.call('EXISTS', keys[1]) == 1 then return 'DUPLICATE' end
  redis.call('HSET', keys[1], 'id', id, 'delivery', delivery, 'cap', cap, 'created', now_ms())
  for _, pair in ipairs(fields) do redis.call('HSET', keys[1], 'f:' .. pair[1], pair[2]) end
  redis.call('HSET', branch_key(keys[1], id), 'id', id, 'session', id, 'name', '', 'pool', '', 'behaviour', '',
    'state', 'open', 'cursor', '0-0', 'version', 0)
  -- Microseconds, so that sessions made in one millisecond keep their order.
  local time = redis.call('TIME')
  redis.call('ZADD', root_of(keys[1]) .. 'sessions', time[1] .. string.format('%06d', tonumber(time[2])), id)
  return 'OK'
end)

register('update_session', function(keys, args)
  local text, number, list = reader(args)
  local fields = list(function() return {text(), text()} end)
  if redis.call('EXISTS', keys[1]) == 0 then return 'UNKNOWN' end
  for _, pair in ipairs(fields) do
    redis.call('HSET', keys[1], pair[1] == 'delivery' and 'delivery' or 'f:' .. pair[1], pair[2])
  end
  return 'OK'
end)

local STATIONS = {':mailbox', ':inbox', ':outbox', ':transit', ':log', ':steps', ':lanes'}

local function remove_branch(root, key)
  local values = redis.call('HMGET', key, 'q', 'pool')
  if values[1] then drop_ready(root .. 'ready:' .. values[2], values[1]) end
  for _, station in ipairs(STATIONS) do redis.call('UNLINK', key .. station) end
  redis.call('UNLINK', key)
end

register('delete_session', function(keys, args)
  local key, root = keys[1], root_of(keys[1])
  local id = redis.call('HGET', key, 'id')
  if not id then return 0 end
  local branches = redis.call('ZRANGE', key .. ':branches', 0, tonumber(args[1]) - 1)
  for _, branch in ipairs(branches) do
    remove_branch(root, branch_key(key, branch))
    redis.call('ZREM', key .. ':branches', branch)
  end
  if redis.call('ZCARD', key .. ':branches') > 0 then return 1 end
  remove_branch(root, branch_key(key, id))
  redis.call('UNLINK', key, key .. ':branches', key .. ':events', key .. ':dead', key .. ':producers',
    key .. ':outboxes', key .. ':transits', key .. ':inboxes')
  redis.call('ZREM', root .. 'sessions', id)
  return 0
end)
