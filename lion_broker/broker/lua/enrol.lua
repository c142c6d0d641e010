-- enrol: a worker says how it is, and is answered what to do; who has not been heard of for long is forgotten.
--
-- KEYS 1: lion:{t}:workers
-- ARGV owner, report, keep_ms
-- -> the order for this worker, or an empty text

local MOST = 1000
local AT_ONCE = 100

local function forget(workers, heartbeats, owners)
  for _, owner in ipairs(owners) do
    redis.call('HDEL', workers, 'report:' .. owner, 'heard:' .. owner, 'order:' .. owner)
    redis.call('ZREM', heartbeats, owner)
  end
end

register('enrol', function(keys, args)
  local owner, report, keep_ms = unpack(args)
  local workers, now = keys[1], now_ms()
  local heartbeats = root_of(workers) .. 'heartbeats'
  local broken = check_kinds({[workers] = 'hash', [heartbeats] = 'zset'})
  if broken then return broken end
  redis.call('HSET', workers, 'report:' .. owner, report, 'heard:' .. owner, now)
  redis.call('ZADD', heartbeats, now + keep_ms, owner)
  forget(workers, heartbeats, redis.call('ZRANGEBYSCORE', heartbeats, '-inf', now, 'LIMIT', 0, AT_ONCE))
  local surplus = math.min(AT_ONCE, redis.call('ZCARD', heartbeats) - MOST)
  if surplus > 0 then forget(workers, heartbeats, redis.call('ZRANGE', heartbeats, 0, surplus - 1)) end
  for _, key in ipairs({workers, heartbeats}) do
    if redis.call('PTTL', key) < tonumber(keep_ms) then redis.call('PEXPIRE', key, keep_ms) end
  end
  return redis.call('HGET', workers, 'order:' .. owner) or ''
end, {'allow-oom'})
