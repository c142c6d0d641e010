-- open_namespace: what a namespace was made with, and with which keys its mail is signed; the first to ask decides.
--
-- KEYS 1: lion:{t}:meta
-- ARGV protocol, partitions, id of the key that signs, n, n × id of a key that is accepted
-- -> {protocol, partitions, id of the newest key}
--
-- keys lists the ids of all keys that have signed, the newest last. Who accepts the newest may add the one he signs with.

local function add_key(meta, signing, accepted)
  local known = redis.call('HGET', meta, 'keys')
  if not known then
    redis.call('HSET', meta, 'keys', signing)
    return signing
  end
  local newest, listed = '', false
  for id in string.gmatch(known, '%S+') do
    newest = id
    listed = listed or id == signing
  end
  if listed or not accepted[newest] then return newest end
  redis.call('HSET', meta, 'keys', known .. ' ' .. signing)
  return signing
end

register('open_namespace', function(keys, args)
  local text, number, list = reader(args)
  local protocol, partitions, signing = text(), text(), text()
  local accepted = {}
  for _, id in ipairs(list(text)) do accepted[id] = true end
  redis.call('HSETNX', keys[1], 'protocol', protocol)
  redis.call('HSETNX', keys[1], 'partitions', partitions)
  local answer = redis.call('HMGET', keys[1], 'protocol', 'partitions')
  -- Another protocol's keys are none of ours.
  answer[3] = answer[1] == protocol and add_key(keys[1], signing, accepted) or ''
  return answer
end, {'allow-oom'})
