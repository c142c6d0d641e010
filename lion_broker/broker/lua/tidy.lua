-- tidy: readers of a ready stream that hold nothing and have not read for long are forgotten; a server keeps them else.
--
-- KEYS 1: ready stream of a pool
-- ARGV idle_ms, limit
-- -> OK

-- One that holds an entry must stay: to forget it would forget what it holds. One that lives is known again when it reads.
register('tidy', function(keys, args)
  local idle_ms, left = tonumber(args[1]), tonumber(args[2])
  local readers = redis.pcall('XINFO', 'CONSUMERS', keys[1], GROUP)
  for _, reader in ipairs(readers.err and {} or readers) do
    local told = {}
    for i = 1, #reader, 2 do told[reader[i]] = reader[i + 1] end
    if left > 0 and told.pending == 0 and told.idle >= idle_ms then
      redis.call('XGROUP', 'DELCONSUMER', keys[1], GROUP, told.name)
      left = left - 1
    end
  end
  return 'OK'
end, {'allow-oom'})
