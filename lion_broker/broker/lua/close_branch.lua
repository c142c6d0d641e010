-- close_branch: what waits for a branch becomes dead letters, and nothing more is accepted for it.
--
-- KEYS 1: session key
-- ARGV branch, token, delete (0|1), limit, nonce
-- -> {OK | CLOSED | UNKNOWN | HELD, 1 when mail is left to move}

local WAITING = {':mailbox', ':inbox', ':transit'}

local function bury_waiting(session, branch, key, limit)
  local moved = 0
  for _, station in ipairs(WAITING) do
    if is_stream(key .. station) and moved < limit then
      local ids = {}
      for i, entry in ipairs(redis.call('XRANGE', key .. station, '-', '+', 'COUNT', limit - moved)) do
        ids[i] = entry[1]
        bury(session, branch, 'closed', 'The branch was removed before it took this mail.', 0, '', fields_of(entry))
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
  local values = redis.call('HMGET', key, 'state', 'pool', 'token', 'lease', 'q', 'closer')
  if not session or not values[1] then return {'UNKNOWN', 0} end
  local pool, holder, q = values[2], values[3], values[5]
  local closed = values[1] ~= 'open'
  -- Whoever asks again with the nonce that closed the branch has lost the answer.
  local before = closed and (args[5] == '' or values[6] ~= args[5])
  if not closed and pool == '' and holder and holder ~= token and tonumber(values[4]) > now_ms() then
    return {'HELD', 0}
  end
  if not is_stream(keys[1] .. ':dead') then return redis.error_reply('The dead letters are no stream.') end
  if not closed then
    redis.call('HSET', key, 'state', 'closed', 'closer', args[5])
    redis.call('HDEL', key, 'q', 'handed', unpack(LEASE_FIELDS))
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
