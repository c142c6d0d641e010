-- put_blob: a body that a mail in the next call names; put_blob_of_turn: the same when that call finishes work, and so is
-- never refused for memory.
--
-- KEYS 1: session key
-- ARGV sha256, bytes, ttl_ms
-- -> OK | UNKNOWN

local function put(keys, args)
  local key = keys[1] .. ':blob:' .. args[1]
  if redis.call('EXISTS', keys[1]) == 0 then return 'UNKNOWN' end
  if not is_kind(key, 'string') then return redis.error_reply(key .. ' is no string.') end
  -- One that stays already keeps staying.
  if redis.call('EXISTS', key) == 1 and redis.call('PTTL', key) == -1 then return 'OK' end
  redis.call('SET', key, args[2], 'PX', args[3])
  return 'OK'
end

register('put_blob', put)
register('put_blob_of_turn', put, {'allow-oom'})
