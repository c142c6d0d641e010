-- step: a call that a turn makes outside, its beginning (no body) or what came of it.
--
-- KEYS 1: session key
-- ARGV branch, token, name, body
-- -> {OK | ALREADY | FENCED, recorded result}

register('step', function(keys, args)
  local key, name, body = branch_key(keys[1], args[1]), args[3], args[4]
  if redis.call('HGET', key, 'token') ~= args[2] then return {'FENCED', ''} end
  local steps = key .. ':steps'
  local kind = redis.call('TYPE', steps)['ok']
  if kind ~= 'hash' and kind ~= 'none' then return redis.error_reply(steps .. ' is no hash.') end
  local known = redis.call('HGET', steps, name)
  if known and body == '' then return {known == '' and 'ALREADY' or 'OK', known} end
  redis.call('HSET', key, 'stepped', 1)
  redis.call('HSET', steps, name, body)
  return {'OK', ''}
end, {'allow-oom'})
