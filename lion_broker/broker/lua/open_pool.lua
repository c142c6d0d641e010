-- open_pool: the group of a pool's workers, also when the server has no room for mail: they are who drains it.
--
-- KEYS 1: ready stream of the pool
-- ARGV none
-- -> OK | ALREADY

register('open_pool', function(keys, args)
  local made = redis.pcall('XGROUP', 'CREATE', keys[1], GROUP, '0', 'MKSTREAM')
  if not made.err then return 'OK' end
  if string.find(made.err, 'BUSYGROUP', 1, true) then return 'ALREADY' end
  return made
end, {'allow-oom'})
