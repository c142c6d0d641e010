-- renew, release
--
-- KEYS n branch keys of one partition
-- renew    ARGV lease_ms, n × token   -> n × (OK | FENCED)
-- release  ARGV n × token             -> n × (OK | FENCED)

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

register('release', function(keys, args)
  local words = {}
  for i, key in ipairs(keys) do
    local values = redis.call('HMGET', key, 'token', 'pool', 'q', 'id', 'session')
    if values[1] ~= args[i] then
      words[i] = 'FENCED'
    elseif values[2] == '' then
      redis.call('HDEL', key, unpack(LEASE_FIELDS))
      words[i] = 'OK'
    else
      local work = redis.call('XLEN', key .. ':mailbox') > 0
      let_go(root_of(key), key, values[4], values[5], values[2], values[3], work)
      words[i] = 'OK'
    end
  end
  return words
end, {'allow-oom'})
