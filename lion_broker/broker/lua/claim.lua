-- claim: a lease on a branch and its first mails.
--
-- KEYS 1: session key
-- ARGV branch, token, ready entry, pool, owner, lease_ms, batch
-- -> {OK | HELD | CLOSED | GONE | EMPTY | UNKNOWN, cursor, version, attempts, behaviour, entry, entry …}
--
-- handed is the newest entry that was ever given out: a head at or before it was given out before without a commit, and
-- comes alone, so that a mail which kills its process is counted by itself.

local function answer_of(word, cursor, version, attempts, behaviour, entries)
  local answer = {word, cursor or '0-0', tonumber(version or 0), attempts, behaviour or ''}
  for _, entry in ipairs(entries or {}) do answer[#answer + 1] = entry end
  return answer
end

-- The first mails, and how often the first of them has now been handed out.
local function hand_out(session, key, cursor, handed, tries, batch, again)
  local entries = next_entries(key, cursor, batch)
  if #entries == 0 then return entries, 0 end
  local head = entries[1][1]
  local attempts, newest = 1, entries[#entries][1]
  if handed and not after(head, handed) then
    attempts = again and tries or tries + 1
    entries, newest = {entries[1]}, handed
  end
  redis.call('HSET', key, 'handed', newest, 'tries', attempts)
  if attempts > 1 and not again then count(session, 'redelivered', 1) end
  return entries, attempts
end

-- Drops a ready entry that is no branch's mark, but only one of the branch that the caller names.
local function drop_own(ready_key, entry, branch)
  local found = entry ~= '' and entry_at(ready_key, entry)
  if found and fields_of(found).b == branch then drop_ready(ready_key, entry) end
end

register('claim', function(keys, args)
  local branch, token, entry, pool, owner = args[1], args[2], args[3], args[4], args[5]
  local lease_ms, batch = tonumber(args[6]), tonumber(args[7])
  local session = open_session(keys[1])
  local key = branch_key(keys[1], branch)
  local ready_key = root_of(keys[1]) .. 'ready:' .. pool
  local values = redis.call('HMGET', key, 'state', 'pool', 'behaviour', 'token', 'lease', 'q', 'cursor', 'version',
    'handed', 'tries')
  local state, behaviour, holder, q, cursor, version = values[1], values[3], values[4], values[6], values[7], values[8]
  local now = now_ms()
  if not session or not state then
    drop_own(ready_key, entry, branch)
    return answer_of('UNKNOWN', cursor, version, 0)
  end
  if state ~= 'open' then
    drop_own(ready_key, entry, branch)
    return answer_of('CLOSED', cursor, version, 0)
  end
  local alive = holder and tonumber(values[5]) > now
  if alive and holder ~= token then return answer_of('HELD', cursor, version, 0) end
  if values[2] == '' then
    redis.call('HSET', key, 'token', token, 'owner', owner, 'lease', now + lease_ms)
    return answer_of('OK', cursor, version, 0, behaviour)
  end
  if not alive and entry ~= q then
    drop_own(ready_key, entry, branch)
    return answer_of('GONE', cursor, version, 0)
  end
  local tries = tonumber(values[10]) or 0
  local entries, attempts = hand_out(session, key, cursor, values[9], tries, batch, alive)
  if #entries == 0 then
    let_go(session.root, key, branch, session.id, values[2], q, false)
    return answer_of('EMPTY', cursor, version, 0)
  end
  redis.call('HSET', key, 'token', token, 'owner', owner, 'lease', now + lease_ms)
  write_counts(session)
  return answer_of('OK', cursor, version, attempts, behaviour, entries)
end, {'allow-oom'})
