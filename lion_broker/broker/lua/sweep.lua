-- sweep: ready entries whose reader is gone.
--
-- KEYS 1: ready stream of a pool
-- ARGV idle_ms, limit
-- -> {seen, dropped, given to others}

-- What was handed out with an entry itself counts as an attempt of its reader, unless that reader was to claim first.
local function note_reader(key, id, reader, token, owner)
  if token ~= id or owner then return end
  if is_ahead(reader) then
    redis.call('HDEL', key, 'token', 'handed', 'tries')
  else
    redis.call('HSET', key, 'owner', reader)
  end
end

-- What becomes of one entry: it is dropped, left to its living owner, or replaced by a new one.
local function sweep_entry(ready_key, id, reader, idle_ms, now)
  local entry = entry_at(ready_key, id)
  local ready = entry and fields_of(entry) or {}
  if not (ready.s and ready.b) then
    drop_ready(ready_key, id)
    return 1, 0
  end
  local key = branch_key(root_of(ready_key) .. 's:' .. ready.s, ready.b)
  -- A key that holds something else must not keep the entries behind it from being swept.
  local values = redis.pcall('HMGET', key, 'q', 'lease', 'state', 'deferred', 'paused', 'token', 'owner')
  if values.err or values[1] ~= id then
    drop_ready(ready_key, id)
    return 1, 0
  end
  local lease = tonumber(values[2] or 0) or 0
  if lease > now then
    -- Looked at: living owners must not hide others behind them. It is due again when this lease ends, not a whole
    -- idle time later.
    local idle = math.max(0, idle_ms - (lease - now))
    redis.call('XCLAIM', ready_key, GROUP, reader, 0, id, 'IDLE', string.format('%.0f', idle), 'JUSTID')
    return 0, 0
  end
  local work = values[3] == 'open' and is_stream(key .. ':mailbox') and has_work(key, now, values[4], values[5])
  drop_ready(ready_key, id)
  if not work then
    redis.call('HDEL', key, 'q', unpack(LEASE_FIELDS))
    return 1, 0
  end
  redis.call('HDEL', key, 'q')
  note_reader(key, id, reader, values[6], values[7])
  enqueue(root_of(ready_key), key, ready.b, ready.s, string.match(ready_key, ':ready:(.*)$'))
  return 0, 1
end

register('sweep', function(keys, args)
  local pending = redis.pcall('XPENDING', keys[1], GROUP, 'IDLE', args[1], '-', '+', args[2])
  if pending.err then return {0, 0, 0} end
  local idle_ms, now, dropped, renewed = tonumber(args[1]), now_ms(), 0, 0
  for _, row in ipairs(pending) do
    local gone, new = sweep_entry(keys[1], row[1], row[2], idle_ms, now)
    dropped, renewed = dropped + gone, renewed + new
  end
  return {#pending, dropped, renewed}
end, {'allow-oom'})
