-- promote: what was to wait until now waits no longer.
--
-- KEYS 1: due
-- ARGV limit
-- -> {now, branches looked at, ms until the next is due, or -1}
--
-- Delayed mail is delivered, and a branch with a lane that is due becomes ready.

local MAILS = 100

local function promote_one(root, name, now)
  local session_id, branch = string.match(name, '^([^/]*)/(.*)$')
  local session = session_id and open_session(root .. 's:' .. session_id)
  local recipient = session and look(session, branch)
  if not recipient or recipient.refused then return redis.call('ZREM', root .. 'due', name) end
  local broken = check_station(session, recipient, true, true)
    or check_kinds({
      [recipient.key .. ':lanes'] = 'zset', [session.key .. ':inboxes'] = 'set', [recipient.key .. ':mailbox'] = 'stream',
    })
  -- Whoever broke the key is to mend it; meanwhile the others go on.
  if broken then return redis.call('ZADD', root .. 'due', now + 60000, name) end
  deliver_due(session, recipient, now, MAILS)
  plan(root, recipient.key, session_id, branch, now)
  if has_work(recipient.key, now, deferred_of(recipient) > 0, nil) then mark(session, recipient) end
  write_counts(session)
end

register('promote', function(keys, args)
  local now, root = now_ms(), root_of(keys[1])
  local names = redis.call('ZRANGEBYSCORE', keys[1], '-inf', now, 'LIMIT', 0, tonumber(args[1]))
  for _, name in ipairs(names) do promote_one(root, name, now) end
  local next_due = redis.call('ZRANGE', keys[1], 0, 0, 'WITHSCORES')[2]
  return {now, #names, next_due and math.max(0, tonumber(next_due) - now) or -1}
end, {'allow-oom'})
