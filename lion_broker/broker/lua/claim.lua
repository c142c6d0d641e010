-- claim: a lease on a branch and its first mails.
--
-- KEYS 1: session key
-- ARGV branch, token, ready entry, pool, owner, lease_ms, batch
-- -> {OK | HELD | CLOSED | GONE | PAUSED | EMPTY | UNKNOWN, cursor, version, attempts, behaviour, now, lane, {lane, …},
--     mail, mail …}  as answer_of has them
--
-- A branch whose mark hands out its first mail may be claimed with that entry all the same, which is no second attempt:
-- what came with the entry was not used.
--
-- handed is the newest entry that was ever given out: a head at or before it was given out before without a commit, and
-- comes alone, so that a mail which kills its process is counted by itself. A lane that is due goes before the mailbox.
-- lane, in the hash, is the one that was handed out last, until a commit.

-- Which of the first mails of the mailbox are given out, how often the first of them then was, and the newest ever.
local function hand_out(session, was, entries, again)
  local head = entries[1][1]
  local attempts, newest = 1, entries[#entries][1]
  if was.handed and not after(head, was.handed) then
    attempts = again and was.tries or was.tries + 1
    entries, newest = {entries[1]}, was.handed
  end
  if attempts > 1 and not again then count(session, 'redelivered', 1) end
  return entries, attempts, newest
end

-- Notes who had the head of the mailbox last and did not commit it; one whose turn was of a lane has not had it.
local function note_owner(root, key, was)
  if was.tries == 0 or was.lane then return end
  local owner = owner_of(root, was.pool, was.q, was.token, was.owner)
  if owner ~= '' then redis.call('HSET', key, 'tried_by', with_owner(was.tried_by or '', owner)) end
end

-- Drops a ready entry that is no branch's mark, but only one of the branch that the caller names.
local function drop_own(ready_key, entry, branch)
  local found = entry ~= '' and entry_at(place_of(ready_key, entry))
  if found and fields_of(found).b == branch then drop_ready(ready_key, entry) end
end

local function stands(key)
  local values = redis.call('HMGET', key, 'state', 'pool', 'behaviour', 'token', 'lease', 'q', 'cursor', 'version',
    'handed', 'tries', 'owner', 'tried_by', 'lane', 'deferred', 'paused', 'stepped')
  local unused = values[4] and values[4] == values[6] and not values[5]
  return {
    state = values[1], pool = values[2], behaviour = values[3], token = values[4], lease = tonumber(values[5] or 0),
    q = values[6], cursor = values[7], version = values[8], handed = not unused and values[9],
    tries = not unused and tonumber(values[10]) or 0, owner = values[11], tried_by = values[12], lane = values[13], deferred = values[14], paused = values[15],
    stepped = values[16],
  }
end

register('claim', function(keys, args)
  local branch, token, entry, pool, owner = args[1], args[2], args[3], args[4], args[5]
  local lease_ms, batch = tonumber(args[6]), tonumber(args[7])
  local session = open_session(keys[1])
  local key = branch_key(keys[1], branch)
  local ready_key = root_of(keys[1]) .. 'ready:' .. pool
  local was, now = stands(key), session and session.now or now_ms()
  local function no(word) return answer_of(word, was, now, 0) end
  if not session or not was.state then
    drop_own(ready_key, entry, branch)
    return no('UNKNOWN')
  end
  if was.state ~= 'open' then
    drop_own(ready_key, entry, branch)
    return no('CLOSED')
  end
  local alive = was.token and was.lease > now
  if alive and was.token ~= token then return no('HELD') end
  if was.pool == '' then
    redis.call('HSET', key, 'token', token, 'owner', owner, 'lease', now + lease_ms)
    return answer_of('OK', was, now, 0)
  end
  if not alive and entry ~= was.q then
    drop_own(ready_key, entry, branch)
    return no('GONE')
  end
  if was.paused and not alive then
    let_go(session.root, key, branch, session.id, was.pool, was.q, false)
    return no('PAUSED')
  end
  local broken = (was.lane or was.deferred) and check_kinds({[key .. ':lanes'] = 'zset', [key .. ':tries'] = 'hash'})
  if broken then return broken end
  local lane = nil
  if alive or was.stepped then
    -- The turn that was cut is done again first: its calls are recorded until a commit.
    lane = was.lane or nil
  elseif was.deferred then
    lane = due_lane(key, now)
  end
  local entries = lane and {} or next_entries(key .. ':mailbox', was.cursor, batch)
  -- Entries that were read show what kind of key it is.
  broken = #entries == 0 and check_kinds({[key .. ':mailbox'] = 'stream'})
  if broken then return broken end
  if not alive then note_owner(session.root, key, was) end
  local attempts, newest
  if lane then
    entries, attempts = hand_out_lane(session, key, lane, owner, batch, alive)
  elseif was.lane then
    redis.call('HDEL', key, 'lane')
  end
  if #entries == 0 then
    let_go(session.root, key, branch, session.id, was.pool, was.q, false)
    return no('EMPTY')
  end
  if lane then
    redis.call('HSET', key, 'token', token, 'owner', owner, 'lease', now + lease_ms)
  else
    entries, attempts, newest = hand_out(session, was, entries, alive)
    redis.call('HSET', key, 'token', token, 'owner', owner, 'lease', now + lease_ms, 'handed', newest, 'tries', attempts)
  end
  write_counts(session)
  return answer_of('OK', was, now, attempts, lane, was.deferred and lanes_of(key), entries)
end, {'allow-oom'})
