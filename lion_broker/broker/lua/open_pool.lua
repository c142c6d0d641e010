-- open_pool: the group of a pool's workers, also when the server has no room for mail: they are who drains it.
--
-- KEYS 1: ready stream of the pool
-- ARGV none
-- -> OK | ALREADY

register('open_pool', function(keys, args)
  local word = 'ALREADY'
  for _, key in ipairs({keys[1], overflow_of(keys[1])}) do
    local made = redis.pcall('XGROUP', 'CREATE', key, GROUP, '0', 'MKSTREAM')
    if not made.err then
      word = 'OK'
    elseif not string.find(made.err, 'BUSYGROUP', 1, true) then
      return made
    end
  end
  return word
end, {'allow-oom'})
