-- say: a part of an answer, while the turn goes on.
--
-- KEYS 1: session key
-- ARGV branch, token, client, mail id, body, text for the live tail, its place in the answer
-- -> OK | FENCED

register('say', function(keys, args)
  if redis.call('HGET', branch_key(keys[1], args[1]), 'token') ~= args[2] then return 'FENCED' end
  answer_client(root_of(keys[1]), args[3], args[4], args[5])
  if args[6] ~= '' then
    tell({key = keys[1]}, 'k', 'said', 'branch', args[1], 'mail', args[4], 'at', args[7], 'text', args[6])
  end
  return 'OK'
end, {'allow-oom'})
