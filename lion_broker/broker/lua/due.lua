-- What waits for a time: lanes of mail that failed, and mail that was sent with a delay. Shared by the verbs.

local function lane_key(key, lane)
  return key .. ':lane:' .. lane
end

-- Up to `batch` entries of a stream after an id, and no more than about a mebibyte of them.
local function next_entries(stream, from, batch)
  local entries = entries_from(stream, '(' .. from, batch)
  local size = 0
  for i = 1, #entries do
    local fields = entries[i][2]
    if is_plain(fields) then
      size = size + #fields[2]
    else
      for part = 1, #fields do size = size + #fields[part] end
      if fields[4] then size = size + blob_size(fields[4]) end
    end
    if size > 1048576 and i > 1 then
      for rest = #entries, i, -1 do entries[rest] = nil end
      break
    end
  end
  return entries
end

-- The senders that have a lane.
local function lanes_of(key)
  return redis.call('ZRANGE', key .. ':lanes', 0, -1)
end

-- What claim and commit answer: where the branch stands, what time it is, and what it is given from where. A mail
-- without a blob is two values in a row, its entry and itself: a table costs more than what is in it.
-- All else that a stream may hold is answered as the entry it is.
local function answer_of(word, stands, now, attempts, lane, lanes, entries)
  local answer = {
    word, stands.cursor or '0-0', tonumber(stands.version or 0), attempts, stands.behaviour or '', now, lane or '', lanes or {},
  }
  local n = 8
  for i = 1, entries and #entries or 0 do
    local entry = entries[i]
    local fields = entry[2]
    if is_plain(fields) then
      answer[n + 1], answer[n + 2] = entry[1], fields[2]
      n = n + 2
    else
      answer[n + 1] = entry
      n = n + 1
    end
  end
  return answer
end

-- An error reply where a key holds something else than it must, or nil. One that was found sound is not looked at again
-- in this call.
local function check_kind(sound, name, kind)
  if sound[name] then return nil end
  if not is_kind(name, kind) then return redis.error_reply(name .. ' is no ' .. kind .. '; nothing was changed.') end
  sound[name] = true
  return nil
end

-- The same for many, until the first that is none.
local function check_kinds(kinds, session)
  local sound = session and session.sound or {}
  for name, kind in pairs(kinds) do
    local broken = check_kind(sound, name, kind)
    if broken then return broken end
  end
  return nil
end

-- The same for what a delivery to a recipient writes to by plain calls.
local function check_station(session, recipient, straight, delayed)
  -- How many mails of this call are for it.
  recipient.coming = recipient.coming + 1
  local looked_at = delayed and 2 or 1
  if recipient.sound >= looked_at then return nil end
  recipient.sound = looked_at
  local broken = check_kind(session.sound, session.key .. ':dead', ROOMY)
  if station_of(recipient, straight) == 'mailbox' then
    -- A branch that has a mark gets no other one.
    if not recipient.q then
      broken = broken or check_kind(session.sound, session.root .. 'ready:' .. recipient.pool, ROOMY)
    end
  elseif recipient.pool ~= '' then
    broken = broken or check_kind(session.sound, session.key .. ':inboxes', 'set')
  end
  if broken or not (delayed or session.cap > 0) then return broken end
  local kinds = {[recipient.key .. ':delayed'] = 'zset'}
  if delayed then kinds[session.root .. 'due'] = 'zset' end
  if session.cap > 0 then kinds[recipient.key .. ':' .. station_of(recipient, straight)] = 'stream' end
  return check_kinds(kinds, session)
end

-- The lane that has been due for longest, or nil.
local function due_lane(key, now)
  return redis.call('ZRANGEBYSCORE', key .. ':lanes', '-inf', now, 'LIMIT', 0, 1)[1]
end

-- Whether a worker would find something to do.
local function has_work(key, now, deferred, paused)
  if paused then return false end
  return redis.call('XLEN', key .. ':mailbox') > 0 or (deferred and due_lane(key, now) ~= nil)
end

-- Writes down when a branch has something due next; what is due already is the business of its mark.
local function plan(root, key, session_id, branch, now)
  local due = redis.call('ZRANGEBYSCORE', key .. ':lanes', '(' .. now, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)[2]
  local delayed = redis.call('ZRANGE', key .. ':delayed', 0, 0, 'WITHSCORES')[2]
  if delayed and (not due or tonumber(delayed) < tonumber(due)) then due = delayed end
  local name = session_id .. '/' .. branch
  if due then
    redis.call('ZADD', root .. 'due', due, name)
  else
    redis.call('ZREM', root .. 'due', name)
  end
end

-- The attempts at the head of a lane, and who has made them.
local function tries_of(key, lane)
  local attempts, owners = string.match(redis.call('HGET', key .. ':tries', lane) or '0 ', '^(%d+) (.*)$')
  return tonumber(attempts or 0), owners or ''
end

-- One more owner at the end; the first ones of a long history go.
local function with_owner(owners, owner)
  if owners == '' then return owner end
  if owner == '' or string.match(owners, '[^\n]*$') == owner then return owners end
  local all = owners .. '\n' .. owner
  return #all > 1024 and string.sub(all, -1024) or all
end

-- Hands out a lane: what was tried before alone, else a batch. `again`: the same claim once more, no new attempt.
local function hand_out_lane(session, key, lane, owner, batch, again)
  local attempts, owners = tries_of(key, lane)
  if not again then
    attempts = attempts + 1
    redis.call('HSET', key .. ':tries', lane, attempts .. ' ' .. with_owner(owners, owner))
    if attempts > 1 then count(session, 'redelivered', 1) end
  end
  redis.call('HSET', key, 'lane', lane)
  return next_entries(lane_key(key, lane), '0-0', attempts > 1 and 1 or batch), attempts
end

-- Puts entries that a turn defers behind their senders' lanes, in the mailbox's order and under the same ids.
local function defer(session, key, branch, entry, mail, deferral, owners, now)
  local added = redis.pcall('XADD', lane_key(key, deferral.lane), entry, unpack(mail_fields(mail)))
  if type(added) == 'table' and added.err then
    bury(session, branch, mail, {reason = 'broken_mailbox', detail = added.err, attempts = deferral.attempts})
    return 0
  end
  count(session, 'inflight', 1)
  -- A lane that is there keeps its time and the attempts at its head.
  if redis.call('ZADD', key .. ':lanes', 'NX', now + deferral.pause, deferral.lane) == 1 then
    redis.call('HSET', key .. ':tries', deferral.lane, deferral.attempts .. ' ' .. owners)
  end
  return 1
end

-- Takes the beginning of a lane away, up to an entry; returns how many mails that were.
local function trim_lane(key, lane, upto, now, pause, attempts, owners)
  local stream, gone = lane_key(key, lane), 0
  if upto ~= '0-0' then
    gone = drop_upto(stream, upto)
  end
  if redis.call('XLEN', stream) == 0 then
    redis.call('UNLINK', stream)
    redis.call('ZREM', key .. ':lanes', lane)
    redis.call('HDEL', key .. ':tries', lane)
  elseif pause then
    redis.call('ZADD', key .. ':lanes', now + pause, lane)
    redis.call('HSET', key .. ':tries', lane, attempts .. ' ' .. owners)
  elseif gone > 0 then
    redis.call('ZADD', key .. ':lanes', now, lane)
    redis.call('HDEL', key .. ':tries', lane)
  end
  return gone
end

-- Keeps a mail until it is due; numbers keep those of the same moment in their order.
local function delay(session, recipient, straight, mail, due)
  local number = redis.call('HINCRBY', session.key, 'delays', 1)
  local packed = cmsgpack.pack({mail.m or '', straight and 1 or 0, mail.x or ''})
  redis.call('ZADD', recipient.key .. ':delayed', due, string.format('%015d', number) .. packed)
  redis.call('ZADD', session.root .. 'due', 'LT', due, session.id .. '/' .. recipient.id)
  count(session, 'delayed', 1)
end

-- Delivers a mail now, or keeps it until it is due; false when it became a dead letter.
local function deliver_when_due(session, recipient, straight, mail, due)
  if session.cap_bytes > 0 then weigh(session, recipient.key, size_of(mail)) end
  if due and due > session.now then
    delay(session, recipient, straight, mail, due)
    return true
  end
  return deliver(session, recipient, straight, mail, true)
end

-- Moves up to `limit` delayed mails that are due into their recipient's mailbox or inbox.
local function deliver_due(session, recipient, now, limit)
  local key = recipient.key .. ':delayed'
  local packed = redis.call('ZRANGEBYSCORE', key, '-inf', now, 'LIMIT', 0, limit)
  for _, one in ipairs(packed) do
    local fields = cmsgpack.unpack(string.sub(one, 16))
    redis.call('ZREM', key, one)
    count(session, 'delayed', -1)
    deliver(session, recipient, fields[2] == 1, {m = fields[1], x = fields[3]})
  end
  return #packed
end
