-- sweep: marks whose reader is gone.
--
-- KEYS 1: ready stream of a pool
-- ARGV idle_ms, limit of the ready stream, and of what is behind it
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

-- What becomes of one mark: it is dropped, left to its living owner, or replaced by a new one.
local function sweep_mark(ready_key, q, reader, idle_ms, now)
  local place, id = place_of(ready_key, q)
  local entry = entry_at(place, id)
  local ready = entry and fields_of(entry) or {}
  if not (ready.s and ready.b) then
    drop_ready(ready_key, q)
    return 1, 0
  end
  local key = branch_key(root_of(ready_key) .. 's:' .. ready.s, ready.b)
  -- A key that holds something else must not keep the entries behind it from being swept.
  local values = redis.pcall('HMGET', key, 'q', 'lease', 'state', 'deferred', 'paused', 'token', 'owner')
  if values.err or values[1] ~= q then
    drop_ready(ready_key, q)
    return 1, 0
  end
  local lease = tonumber(values[2] or 0) or 0
  if lease > now then
    -- Looked at: living owners must not hide others behind them. It is due again when this lease ends, not a whole
    -- idle time later.
    local idle = math.max(0, idle_ms - (lease - now))
    redis.call('XCLAIM', place, GROUP, reader, 0, id, 'IDLE', string.format('%.0f', idle), 'JUSTID')
    return 0, 0
  end
  local work = values[3] == 'open' and is_stream(key .. ':mailbox') and has_work(key, now, values[4], values[5])
  drop_ready(ready_key, q)
  if not work then
    redis.call('HDEL', key, 'q', unpack(LEASE_FIELDS))
    return 1, 0
  end
  redis.call('HDEL', key, 'q')
  note_reader(key, q, reader, values[6], values[7])
  enqueue(root_of(ready_key), key, ready.b, ready.s, string.match(ready_key, ':ready:(.*)$'))
  return 0, 1
end

register('sweep', function(keys, args)
  local idle_ms, now, seen, dropped, renewed = tonumber(args[1]), now_ms(), 0, 0, 0
  for _, over in ipairs({'', OVER}) do
    local pending = redis.pcall('XPENDING', place_of(keys[1], over), GROUP, 'IDLE', args[1], '-', '+', args[2])
    for _, row in ipairs(pending.err and {} or pending) do
      local gone, new = sweep_mark(keys[1], over .. row[1], row[2], idle_ms, now)
      seen, dropped, renewed = seen + 1, dropped + gone, renewed + new
    end
  end
  return {seen, dropped, renewed}
end, {'allow-oom'})
