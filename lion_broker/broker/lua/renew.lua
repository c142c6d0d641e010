-- renew: prolongs leases.
--
-- KEYS n branch keys of one partition
-- ARGV lease_ms, n × token, and where the owner says so n × mail that it is at, or nothing
-- -> n × (OK | FENCED | CANCELLED)

-- With the token: the next owner is at something else until it says so. With the ms at which it was said first.
local function said_at(before, at, token, now)
  local said = at .. ' ' .. token .. ' '
  if before and string.sub(before, 1, #said) == said then return before end
  return said .. number_text(now)
end

register('renew', function(keys, args)
  local now = now_ms()
  local lease = now + tonumber(args[1])
  local words = {}
  for i, key in ipairs(keys) do
    local values = redis.call('HMGET', key, 'token', 'notice', 'at')
    local token, at = args[i + 1], args[#keys + i + 1]
    local owned = values[1] == token
    if owned and at and (at ~= '' or values[3]) then
      redis.call('HSET', key, 'lease', lease, 'at', said_at(values[3], at, token, now))
    elseif owned then
      redis.call('HSET', key, 'lease', lease)
    end
    words[i] = not owned and 'FENCED' or values[2] and 'CANCELLED' or 'OK'
  end
  return words
end, {'allow-oom'})
