-- say: a part of an answer, while the turn goes on.
--
-- KEYS 1: session key
-- ARGV branch, token, client, mail id, body
-- -> OK | FENCED

register('say', function(keys, args)
  if redis.call('HGET', branch_key(keys[1], args[1]), 'token') ~= args[2] then return 'FENCED' end
  answer_client(root_of(keys[1]), args[3], args[4], args[5])
  return 'OK'
end, {'allow-oom'})
