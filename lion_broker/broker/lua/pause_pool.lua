-- pause_pool: branches that are made for a pool from now on begin paused, until the pool is resumed.
--
-- KEYS 1: lion:{t}:paused
-- ARGV pool, reason; an empty reason resumes it
-- -> OK | ALREADY
--
-- Those that are there already are paused one by one; a pool that is paused keeps its first reason.

register('pause_pool', function(keys, args)
  local broken = check_kinds({[keys[1]] = 'hash'})
  if broken then return broken end
  if args[2] == '' then return redis.call('HDEL', keys[1], 'r:' .. args[1]) == 1 and 'OK' or 'ALREADY' end
  return redis.call('HSETNX', keys[1], 'r:' .. args[1], args[2]) == 1 and 'OK' or 'ALREADY'
end, {'allow-oom'})
