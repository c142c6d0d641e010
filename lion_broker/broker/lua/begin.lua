-- begin: counts one more attempt before user code runs again on a mail.
--
-- KEYS 1: session key
-- ARGV branch, token, mailbox entry
-- -> attempts so far, or 0 when the token is not the owner's or the entry does not wait

register('begin', function(keys, args)
  local key = branch_key(keys[1], args[1])
  local values = redis.call('HMGET', key, 'token', 'cursor', 'stepped')
  if values[1] ~= args[2] or not after(args[3], values[2]) then return 0 end
  if values[3] then forget_steps(key) end
  return redis.call('HINCRBY', key, 'tries', 1)
end, {'allow-oom'})
