-- close_branch: what waits for a branch becomes dead letters, and nothing more is accepted for it.
--
-- KEYS 1: session key
-- ARGV branch, token, delete (0|1), limit, nonce
-- -> {OK | CLOSED | UNKNOWN | HELD, 1 when mail is left to move}

local WAITING = {':mailbox', ':inbox', ':transit'}

-- Mail that waits for a time: what failed in its order, then what was delayed.
local function bury_due(session, branch, key, limit)
  local moved = 0
  for _, lane in ipairs(redis.call('ZRANGE', key .. ':lanes', 0, limit - 1)) do
    local stream = lane_key(key, lane)
    local entries = redis.call('XRANGE', stream, '-', '+', 'COUNT', limit - moved)
    for _, entry in ipairs(entries) do
      bury(session, branch, fields_of(entry), REFUSALS.CLOSED)
      redis.call('XDEL', stream, entry[1])
    end
    moved = moved + #entries
    count(session, 'inflight', -#entries)
    if redis.call('XLEN', stream) == 0 then
      redis.call('UNLINK', stream)
      redis.call('ZREM', key .. ':lanes', lane)
      redis.call('HDEL', key .. ':tries', lane)
    end
    if moved >= limit then return moved end
  end
  for _, one in ipairs(redis.call('ZRANGE', key .. ':delayed', 0, limit - moved - 1)) do
    local fields = cmsgpack.unpack(string.sub(one, 16))
    bury(session, branch, {m = fields[1], x = fields[3]}, REFUSALS.CLOSED)
    redis.call('ZREM', key .. ':delayed', one)
    count(session, 'delayed', -1)
    moved = moved + 1
  end
  redis.call('ZREM', session.root .. 'due', session.id .. '/' .. branch)
  return moved
end

local function bury_waiting(session, branch, key, limit)
  local moved = bury_due(session, branch, key, limit)
  for _, station in ipairs(WAITING) do
    if is_stream(key .. station) and moved < limit then
      local ids = {}
      for i, entry in ipairs(redis.call('XRANGE', key .. station, '-', '+', 'COUNT', limit - moved)) do
        ids[i] = entry[1]
        bury(session, branch, fields_of(entry), REFUSALS.CLOSED)
      end
      delete_entries(key .. station, ids)
      if station == ':mailbox' then count(session, 'inflight', -#ids) end
      moved = moved + #ids
    end
  end
  return moved
end

-- Deletes a log when no other log refers to it; then the log that it referred to itself may be free to go as well.
local function delete_log(session_key, branch)
  while branch do
    local key = branch_key(session_key, branch)
    if (tonumber(redis.call('HGET', key, 'copies')) or 0) > 0 then
      redis.call('HSET', key, 'doomed', 1)
      return
    end
    redis.call('UNLINK', key .. ':log')
    local source = redis.call('HGET', key, 'copy_of')
    redis.call('HDEL', key, 'copy_of', 'doomed')
    branch = nil
    if source then
      local source_key = branch_key(session_key, source)
      local left = redis.call('HINCRBY', source_key, 'copies', -1)
      if left == 0 and redis.call('HEXISTS', source_key, 'doomed') == 1 then branch = source end
    end
  end
end

register('close_branch', function(keys, args)
  local branch, token, delete, limit = args[1], args[2], args[3] == '1', tonumber(args[4])
  local session = open_session(keys[1])
  local key = branch_key(keys[1], branch)
  local values = redis.call('HMGET', key, 'state', 'pool', 'token', 'lease', 'q', 'closer', 'paused')
  if not session or not values[1] then return {'UNKNOWN', 0} end
  local pool, holder, q = values[2], values[3], values[5]
  local closed = values[1] ~= 'open'
  -- Whoever asks again with the nonce that closed the branch has lost the answer.
  local before = closed and (args[5] == '' or values[6] ~= args[5])
  if not closed and pool == '' and holder and holder ~= token and tonumber(values[4]) > now_ms() then
    return {'HELD', 0}
  end
  local broken = check_kinds({
    [keys[1] .. ':dead'] = ROOMY, [key .. ':lanes'] = 'zset', [key .. ':tries'] = 'hash',
    [key .. ':delayed'] = 'zset', [session.root .. 'due'] = 'zset', [keys[1] .. ':branches'] = 'zset',
    [keys[1] .. ':inboxes'] = 'set', [keys[1] .. ':transits'] = 'set',
  })
  if broken then return broken end
  if not closed then
    redis.call('HSET', key, 'state', 'closed', 'closer', args[5])
    redis.call('HDEL', key, 'q', 'paused', 'deferred', 'bytes', unpack(LEASE_FIELDS))
    if values[7] then count_paused(session.root, pool, -1) end
    if q then drop_ready(session.root .. 'ready:' .. pool, q) end
    redis.call('ZADD', keys[1] .. ':branches', -redis.call('ZSCORE', keys[1] .. ':branches', branch), branch)
    tell(session, 'k', 'closed', 'branch', branch)
  end
  local moved = bury_waiting(session, branch, key, limit)
  write_counts(session)
  redis.call('SREM', keys[1] .. ':inboxes', branch)
  if moved < limit then
    redis.call('SREM', keys[1] .. ':transits', branch)
    if delete then delete_log(keys[1], branch) end
  end
  return {(before and moved == 0) and 'CLOSED' or 'OK', moved == limit and 1 or 0}
end, {'allow-oom'})
