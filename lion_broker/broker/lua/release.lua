-- release: hands branches back at once; what waits is ready for others.
--
-- KEYS n branch keys of one partition
-- ARGV n × token
-- -> n × (OK | FENCED)
--
-- Who hands back by itself has not failed: no attempt is counted, neither in the mailbox nor in a lane. Nor has one whose
-- turn was stopped, which owns the branch no more and lets go of it all the same.

local function uncount(key, lane)
  if not lane or not is_kind(key .. ':tries', 'hash') then return end
  local attempts, owners = tries_of(key, lane)
  if attempts > 0 then redis.call('HSET', key .. ':tries', lane, attempts - 1 .. ' ' .. owners) end
end

register('release', function(keys, args)
  local words = {}
  for i, key in ipairs(keys) do
    local values = redis.call('HMGET', key, 'token', 'pool', 'q', 'id', 'session', 'deferred', 'paused', 'lane')
    if values[1] ~= args[i] and values[1] ~= args[i] .. STOPPED then
      words[i] = 'FENCED'
    elseif values[2] == '' then
      redis.call('HDEL', key, unpack(LEASE_FIELDS))
      words[i] = 'OK'
    else
      uncount(key, values[8])
      local work = has_work(key, now_ms(), values[6], values[7])
      let_go(root_of(key), key, values[4], values[5], values[2], values[3], work)
      words[i] = 'OK'
    end
  end
  return words
end, {'allow-oom'})
