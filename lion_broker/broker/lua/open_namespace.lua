-- open_namespace: what a namespace was made with; the first to ask decides.
--
-- KEYS 1: lion:{t}:meta
-- ARGV protocol, partitions -> {protocol, partitions}

register('open_namespace', function(keys, args)
  redis.call('HSETNX', keys[1], 'protocol', args[1])
  redis.call('HSETNX', keys[1], 'partitions', args[2])
  return redis.call('HMGET', keys[1], 'protocol', 'partitions')
end)
