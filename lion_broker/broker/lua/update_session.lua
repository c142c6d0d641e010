-- update_session: sets fields of a session.
--
-- KEYS 1: session key
-- ARGV n, n × (field, value)
-- -> OK | UNKNOWN

register('update_session', function(keys, args)
  local text, number, list = reader(args)
  local fields = list(function() return {text(), text()} end)
  if redis.call('EXISTS', keys[1]) == 0 then return 'UNKNOWN' end
  for _, pair in ipairs(fields) do
    redis.call('HSET', keys[1], pair[1] == 'delivery' and 'delivery' or 'f:' .. pair[1], pair[2])
  end
  return 'OK'
end)
