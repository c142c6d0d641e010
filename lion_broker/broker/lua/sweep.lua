-- sweep: ready entries whose reader is gone.
--
-- KEYS 1: ready stream of a pool
-- ARGV idle_ms, limit
-- -> {seen, dropped, given to others}

-- What becomes of one entry: it is dropped, left to its living owner, or replaced by a new one.
local function sweep_entry(ready_key, id, reader, now)
  local entry = entry_at(ready_key, id)
  local ready = entry and fields_of(entry) or {}
  if not (ready.s and ready.b) then
    drop_ready(ready_key, id)
    return 1, 0
  end
  local key = branch_key(root_of(ready_key) .. 's:' .. ready.s, ready.b)
  local values = redis.call('HMGET', key, 'q', 'lease', 'state', 'deferred', 'paused')
  if values[1] ~= id then
    drop_ready(ready_key, id)
    return 1, 0
  end
  if values[2] and tonumber(values[2]) > now then
    -- Looked at: it counts as read just now, so that living owners do not hide others behind them.
    redis.call('XCLAIM', ready_key, GROUP, reader, 0, id, 'JUSTID')
    return 0, 0
  end
  local work = values[3] == 'open' and has_work(key, now, values[4], values[5])
  drop_ready(ready_key, id)
  if not work then
    redis.call('HDEL', key, 'q', unpack(LEASE_FIELDS))
    return 1, 0
  end
  redis.call('HSET', key, 'q', redis.call('XADD', ready_key, '*', 's', ready.s, 'b', ready.b))
  return 0, 1
end

register('sweep', function(keys, args)
  local pending = redis.pcall('XPENDING', keys[1], GROUP, 'IDLE', args[1], '-', '+', args[2])
  if pending.err then return {0, 0, 0} end
  local now, dropped, renewed = now_ms(), 0, 0
  for _, row in ipairs(pending) do
    local gone, new = sweep_entry(keys[1], row[1], row[2], now)
    dropped, renewed = dropped + gone, renewed + new
  end
  return {#pending, dropped, renewed}
end, {'allow-oom'})
