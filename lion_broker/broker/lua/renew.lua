-- renew: prolongs leases.
--
-- KEYS n branch keys of one partition
-- ARGV lease_ms, n × token
-- -> n × (OK | FENCED)

register('renew', function(keys, args)
  local lease = now_ms() + tonumber(args[1])
  local words = {}
  for i, key in ipairs(keys) do
    local owned = redis.call('HGET', key, 'token') == args[i + 1]
    if owned then redis.call('HSET', key, 'lease', lease) end
    words[i] = owned and 'OK' or 'FENCED'
  end
  return words
end, {'allow-oom'})
