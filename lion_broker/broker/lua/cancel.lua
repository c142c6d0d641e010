-- cancel: word for a branch's owner that nobody waits for a command any more.
--
-- KEYS 1: session key
-- ARGV branch, mail id, ttl_ms
-- -> OK | UNKNOWN

register('cancel', function(keys, args)
  local key = branch_key(keys[1], args[1])
  local values = redis.call('HMGET', key, 'state', 'token')
  if not values[1] then return 'UNKNOWN' end
  local cancelled = key .. ':cancelled'
  local kind = redis.call('TYPE', cancelled)['ok']
  if kind ~= 'set' and kind ~= 'none' then return redis.error_reply(cancelled .. ' is no set.') end
  redis.call('SADD', cancelled, args[2])
  redis.call('PEXPIRE', cancelled, args[3])
  -- A branch without an owner looks before it begins a command.
  if values[2] then redis.call('HSET', key, 'notice', 1) end
  return 'OK'
end, {'allow-oom'})
