-- pause: a branch that takes no turns until it is resumed.
--
-- KEYS 1: session key
-- ARGV branch, reason; an empty reason resumes it
-- -> OK | ALREADY | CLOSED | UNKNOWN

local function resume(session, key, branch, pool, now)
  redis.call('HDEL', key, 'paused')
  count_paused(session.root, pool, -1)
  local recipient = look(session, branch)
  local deferred = deferred_of(recipient)
  -- What has failed before is tried afresh, at once.
  if deferred > 0 then
    redis.call('UNLINK', key .. ':tries')
    for _, lane in ipairs(lanes_of(key)) do redis.call('ZADD', key .. ':lanes', now, lane) end
    plan(session.root, key, session.id, branch, now)
  end
  if has_work(key, now, deferred > 0, nil) then mark(session, recipient) end
end

-- What the mark hands out and nobody has read is taken back: whoever reads it would begin a turn.
local function take_back(session, key, branch, values)
  local pool, q = values[2], values[4]
  if not q or values[5] ~= q or values[6] or reader_of(session.root .. 'ready:' .. pool, q) then return end
  let_go(session.root, key, branch, session.id, pool, q, false)
end

register('pause', function(keys, args)
  local branch, reason = args[1], args[2]
  local session = open_session(keys[1])
  local key = branch_key(keys[1], branch)
  local values = redis.call('HMGET', key, 'state', 'pool', 'paused', 'q', 'token', 'lease')
  if not session or not values[1] then return 'UNKNOWN' end
  if values[1] ~= 'open' then return 'CLOSED' end
  if (reason == '') == (not values[3]) then return 'ALREADY' end
  local broken = check_kinds({
    [key .. ':lanes'] = 'zset', [key .. ':delayed'] = 'zset', [key .. ':mailbox'] = 'stream',
    [session.root .. 'due'] = 'zset', [session.root .. 'ready:' .. values[2]] = 'stream',
  })
  if broken then return broken end
  if reason == '' then
    resume(session, key, branch, values[2], now_ms())
    tell(session, 'k', 'resumed', 'branch', branch)
  else
    -- The mark of an owner stays until its commit; that of nobody is cleared by whoever claims it.
    redis.call('HSET', key, 'paused', reason)
    count_paused(session.root, values[2], 1)
    take_back(session, key, branch, values)
    tell(session, 'k', 'paused', 'branch', branch, 'reason', reason)
  end
  return 'OK'
end, {'allow-oom'})
