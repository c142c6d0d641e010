-- create_session: a session with its own mailbox.
--
-- KEYS 1: session key
-- ARGV session, delivery, cap, cap_bytes, n, n × (field, value)
-- -> OK | DUPLICATE

register('create_session', function(keys, args)
  local text, number, list = reader(args)
  local id, delivery, cap, cap_bytes = text(), text(), text(), text()
  local fields = list(function() return {text(), text()} end)
  if redis.call('EXISTS', keys[1]) == 1 then return 'DUPLICATE' end
  redis.call('HSET', keys[1], 'id', id, 'delivery', delivery, 'cap', cap, 'cap_bytes', cap_bytes, 'created', now_ms())
  for _, pair in ipairs(fields) do redis.call('HSET', keys[1], 'f:' .. pair[1], pair[2]) end
  redis.call('HSET', branch_key(keys[1], id), 'id', id, 'session', id, 'name', '', 'pool', '', 'behaviour', '',
    'state', 'open', 'cursor', '0-0', 'version', 0)
  -- Microseconds, so that sessions made in one millisecond keep their order.
  local time = redis.call('TIME')
  redis.call('ZADD', root_of(keys[1]) .. 'sessions', time[1] .. string.format('%06d', tonumber(time[2])), id)
  return 'OK'
end)
