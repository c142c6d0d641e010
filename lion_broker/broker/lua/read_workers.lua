-- read_workers: the register, those that would leave last first.
--
-- KEYS 1: lion:{t}:workers
-- ARGV count
-- -> {now, (report, heard, order), …}

register('read_workers', function(keys, args)
  local now = now_ms()
  local found = {now}
  local heartbeats = root_of(keys[1]) .. 'heartbeats'
  local owners = redis.pcall('ZREVRANGEBYSCORE', heartbeats, '+inf', '(' .. now, 'LIMIT', 0, args[1])
  if owners.err then return found end
  for _, owner in ipairs(owners) do
    local row = redis.pcall('HMGET', keys[1], 'report:' .. owner, 'heard:' .. owner, 'order:' .. owner)
    if not row.err and row[1] and row[2] then found[#found + 1] = {row[1], row[2], row[3] or ''} end
  end
  return found
end, {'no-writes'})
