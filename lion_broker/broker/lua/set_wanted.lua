-- set_wanted: how many workers a pool is to have, for whoever starts them.
--
-- KEYS 1: lion:{t}:pools
-- ARGV pool, wanted or an empty text
-- -> OK

register('set_wanted', function(keys, args)
  local broken = check_kinds({[keys[1]] = 'hash'})
  if broken then return broken end
  redis.call('HSET', keys[1], args[1], args[2])
  return 'OK'
end, {'allow-oom'})
