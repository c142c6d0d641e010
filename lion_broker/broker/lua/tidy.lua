-- tidy: readers of a pool that hold nothing and have not read for long are forgotten; a server keeps them else.
-- So are pools that have nothing left: no reader, no entry, no number of workers that somebody wants.
--
-- KEYS 1: ready stream of a pool
-- ARGV idle_ms, limit
-- -> OK
--
-- Of the other pools of the partition up to limit are looked at: those that nobody serves have nobody else to do it.

-- One that holds an entry must stay: to forget it would forget what it holds. One that lives is known again when it reads.
local function forget_readers_of(key, idle_ms, left)
  local readers, stay = redis.pcall('XINFO', 'CONSUMERS', key, GROUP), 0
  for _, reader in ipairs(readers.err and {} or readers) do
    local told = {}
    for i = 1, #reader, 2 do told[reader[i]] = reader[i + 1] end
    if left > 0 and told.pending == 0 and told.idle >= idle_ms then
      redis.call('XGROUP', 'DELCONSUMER', key, GROUP, told.name)
      left = left - 1
    else
      stay = stay + 1
    end
  end
  return stay
end

local function forget_readers(ready_key, idle_ms, left)
  return forget_readers_of(ready_key, idle_ms, left) + forget_readers_of(overflow_of(ready_key), idle_ms, left)
end

local function is_empty(key)
  return is_stream(key) and length_of(key) == 0
end

-- `enqueue` makes all again, together; a worker that comes makes the streams.
local function forget_pool(pools, pool, ready_key)
  local over = overflow_of(ready_key)
  if is_empty(ready_key) and is_empty(over) and redis.call('HGET', pools, pool) == '' then
    redis.call('UNLINK', ready_key, over)
    redis.call('HDEL', pools, pool)
  end
end

register('tidy', function(keys, args)
  local idle_ms, limit, root = tonumber(args[1]), tonumber(args[2]), root_of(keys[1])
  local ours, pools = string.match(keys[1], ':ready:(.*)$'), root .. 'pools'
  local broken = check_kinds({[pools] = 'hash'})
  if broken then return broken end
  local known = redis.call('HKEYS', pools)
  if forget_readers(keys[1], idle_ms, limit) == 0 then
    forget_pool(pools, ours, keys[1])
  else
    redis.call('HSETNX', pools, ours, '')
  end
  local first = now_ms()
  for i = 1, math.min(#known, limit) do
    local pool = known[(first + i) % #known + 1]
    local ready_key = root .. 'ready:' .. pool
    if pool ~= ours and forget_readers(ready_key, idle_ms, limit) == 0 then forget_pool(pools, pool, ready_key) end
  end
  return 'OK'
end, {'allow-oom'})
