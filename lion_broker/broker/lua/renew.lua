-- renew: prolongs leases.
--
-- KEYS n branch keys of one partition
-- ARGV lease_ms, n × token
-- -> n × (OK | FENCED | CANCELLED)

register('renew', function(keys, args)
  local lease = now_ms() + tonumber(args[1])
  local words = {}
  for i, key in ipairs(keys) do
    local values = redis.call('HMGET', key, 'token', 'notice')
    local owned = values[1] == args[i + 1]
    if owned then redis.call('HSET', key, 'lease', lease) end
    words[i] = not owned and 'FENCED' or values[2] and 'CANCELLED' or 'OK'
  end
  return words
end, {'allow-oom'})
