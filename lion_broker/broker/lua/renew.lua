-- renew: prolongs leases.
--
-- KEYS n branch keys of one partition
-- ARGV lease_ms, n × token, and where the owner says so n × mail that it is at, or nothing
-- -> n × (OK | FENCED | CANCELLED)

register('renew', function(keys, args)
  local lease = now_ms() + tonumber(args[1])
  local words = {}
  for i, key in ipairs(keys) do
    local values = redis.call('HMGET', key, 'token', 'notice', 'at')
    local token, at = args[i + 1], args[#keys + i + 1]
    local owned = values[1] == token
    if owned and at and (at ~= '' or values[3]) then
      -- With the token: the next owner is at something else until it says so.
      redis.call('HSET', key, 'lease', lease, 'at', at .. ' ' .. token)
    elseif owned then
      redis.call('HSET', key, 'lease', lease)
    end
    words[i] = not owned and 'FENCED' or values[2] and 'CANCELLED' or 'OK'
  end
  return words
end, {'allow-oom'})
