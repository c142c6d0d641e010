-- open_pool: the group of a pool's workers, from the first entry on; where there is one, nothing changes.
--
-- KEYS 1: ready stream of a pool
-- ARGV none
-- -> OK

register('open_pool', function(keys, args)
  -- What is wrong with the key shows when it is read.
  redis.pcall('XGROUP', 'CREATE', keys[1], GROUP, '0', 'MKSTREAM')
  return 'OK'
end, {'allow-oom'})
