-- Mail on its way: who takes it, where it goes, what becomes of it when nobody does. Shared by the verbs.

-- `error` is the class of what was raised, `owners` who has tried, the latest last. Returns the letter's id.
local function bury(session, branch, mail, why)
  local letter = redis.call('XADD', session.key .. ':dead', '*', 'reason', why.reason, 'error', why.error or '', 'detail', why.detail,
    'branch', branch, 'attempts', why.attempts or 0, 'owners', why.owners or '', unpack(mail_fields(mail)))
  count(session, 'dead', 1)
  tell(session, 'k', 'dead', 'branch', branch, 'reason', why.reason, 'letter', letter)
  return letter
end

local REFUSALS = {
  UNKNOWN = {reason = 'unknown_branch', detail = 'There is no such branch in the session.'},
  CLOSED = {reason = 'closed', detail = 'The branch was removed before it took this mail.'},
  FULL = {reason = 'full', detail = 'The branch had as much mail waiting as the session allows.'},
}

-- Looks a recipient up once a call: where mail for it goes, and the word that refuses it, if any.
local function look(session, branch)
  local seen = session.known[branch]
  if seen then return seen end
  local key = branch_key(session.key, branch)
  local values = redis.pcall('HMGET', key, 'state', 'pool', 'q')
  if values.err then values = {} end
  seen = {
    id = branch, key = key, pool = values[2] or '', q = values[3], mailbox = key .. ':mailbox', inbox = key .. ':inbox',
    coming = 0, sound = 0,
  }
  if not values[1] then
    seen.refused = 'UNKNOWN'
  elseif values[1] ~= 'open' then
    seen.refused = 'CLOSED'
  end
  session.known[branch] = seen
  return seen
end

-- How much of its mail waits in lanes; asked for by few.
local function deferred_of(recipient)
  return tonumber(redis.call('HGET', recipient.key, 'deferred')) or 0
end

local function station_of(recipient, straight)
  return (straight and recipient.pool ~= '') and 'mailbox' or 'inbox'
end

-- True when one more mail fits under `times` the session's limits, counting those that this call has let through.
local function fits(session, recipient, station, mail, times)
  if session.cap == 0 and session.cap_bytes == 0 then return true end
  if session.cap > 0 then
    recipient.waiting = recipient.waiting or redis.call('XLEN', recipient.key .. ':' .. station)
      + redis.call('ZCARD', recipient.key .. ':delayed') + deferred_of(recipient)
    if recipient.waiting + (recipient.added or 0) >= session.cap * times then return false end
  end
  if session.cap_bytes > 0 then
    local bytes = (recipient.bytes or tonumber(redis.call('HGET', recipient.key, 'bytes')) or 0) + size_of(mail)
    if bytes > session.cap_bytes * times then return false end
    recipient.bytes = bytes
  end
  recipient.added = (recipient.added or 0) + 1
  return true
end

-- Where a session limits bytes, a branch knows how many wait for it.
local function weigh(session, key, bytes)
  if session.cap_bytes > 0 and bytes ~= 0 then redis.call('HINCRBY', key, 'bytes', bytes) end
end

-- Behind so many ready branches, and those at work count, a session lets others pass: of its own, SIDE_BY_SIDE at a time are
-- in the ready stream or in line at a worker, twice as many at the most, and the others in the overflow.
local LONG = 32
local SIDE_BY_SIDE = 4
local OVER = 'o'

-- Where a mark stands: in its pool's ready stream, or in the overflow, where its name begins with OVER.
local function place_of(ready_key, q)
  if string.sub(q, 1, 1) ~= OVER then return ready_key, q end
  return overflow_of(ready_key), string.sub(q, 2)
end

-- Who has read a mark, and how many ms ago; nothing while nobody has.
local function reader_of(ready_key, q)
  local key, id = place_of(ready_key, q)
  local found = redis.pcall('XPENDING', key, GROUP, id, id, 1)
  local row = not found.err and found[1]
  if row then return row[2], row[3] end
end

local function is_ahead(reader)
  return string.sub(reader, -#AHEAD) == AHEAD
end

-- Whether a mark of the ready stream waits: nobody has read it, or who has lets it wait in line.
local function waits(ready_key, session_key, id, branch)
  local reader = reader_of(ready_key, id)
  if not reader then return entry_at(ready_key, id) ~= nil end
  return is_ahead(reader) and redis.pcall('HEXISTS', branch_key(session_key, branch), 'token') == 0
end

-- How many of a session's branches came into the ready stream since the first of them that may still wait, and its entry
-- and branch; nothing where they need not be counted.
local function side_of(ready_key, session_key, pool)
  if length_of(ready_key) < LONG then return nil end
  local values = redis.pcall('HMGET', session_key, 'id', 'front:' .. pool)
  if values.err or not values[1] then return nil end
  local n, first, branch = string.match(values[2] or '', '^(%d+) (%S+) (%S+)$')
  n = tonumber(n) or 0
  if n >= SIDE_BY_SIDE and not waits(ready_key, session_key, first, branch) then n = 0 end
  return n, first, branch
end

-- A larger mail, or one behind so many marks, of which those at work are some, is not held twice.
local GIVEN_BYTES = 4096
local GIVEN_READY = 1024

-- Adds a mark at the end of a pool's ready stream; returns its entry, or what refuses it.
local function add_mark(ready_key, root, pool, fields)
  local id = redis.pcall('XADD', ready_key, 'NOMKSTREAM', '*', unpack(fields))
  if id then return id end
  -- The pool is new, or `tidy` has forgotten it.
  redis.pcall('HSETNX', root .. 'pools', pool, '')
  return redis.pcall('XADD', ready_key, '*', unpack(fields))
end

-- Gives a branch a mark, whose name is q. Where the stream takes none, `promote` tries again later.
--
-- With a mail to hand out the entry is what a claim would answer, and its id the token: whoever the group gives it to is
-- the owner. There is no lease and no owner's name yet: the first commit or renewal begins the one, and the group knows
-- the other. A mark of the overflow hands out nothing: its reader may have no seat for it.
local function enqueue(root, key, branch, session_id, pool, given)
  local ready_key, session_key, fields = root .. 'ready:' .. pool, root .. 's:' .. session_id, {'s', session_id, 'b', branch}
  local n, first, first_branch = side_of(ready_key, session_key, pool)
  if n and n >= SIDE_BY_SIDE then
    local over = redis.pcall('XADD', overflow_of(ready_key), '*', unpack(fields))
    if type(over) ~= 'table' then
      redis.call('HSET', key, 'q', OVER .. over)
      return OVER .. over
    end
  end
  if given and n and length_of(ready_key) >= GIVEN_READY then given = nil end
  if given then
    fields = {'s', session_id, 'b', branch, 'e', given.entry, 'm', given.m, 'c', given.cursor, 'v', given.version,
      'f', given.behaviour}
  end
  local id = add_mark(ready_key, root, pool, fields)
  if type(id) == 'table' then
    redis.pcall('ZADD', root .. 'due', now_ms() + 1000, session_id .. '/' .. branch)
    return nil
  end
  if n then
    if n == 0 then first, first_branch = id, branch end
    redis.call('HSET', session_key, 'front:' .. pool, n + 1 .. ' ' .. first .. ' ' .. first_branch)
  end
  if given then
    redis.call('HSET', key, 'q', id, 'token', id, 'handed', given.entry, 'tries', 1)
  else
    redis.call('HSET', key, 'q', id)
  end
  return id
end

-- What a claim would answer where a mail is the only one of an idle branch, or nil.
local function to_hand_out(recipient, stands, entry, mail)
  local _, deferred, token, lane, stepped, cursor, version, behaviour = unpack(stands, 1, 8)
  if deferred or token or lane or stepped or (mail.x or '') ~= '' then return nil end
  local m = mail.m or ''
  if #m > GIVEN_BYTES or redis.call('XLEN', recipient.mailbox) ~= 1 then return nil end
  return {entry = entry, m = m, cursor = cursor or '0-0', version = version or 0, behaviour = behaviour or ''}
end

-- Makes sure that a branch with work has exactly one ready entry, unless it is paused. With a mail that has just come,
-- and its entry, the mark may hand it out.
local function mark(session, recipient, entry, mail)
  if recipient.pool == '' or recipient.q then return end
  local alone = mail and recipient.coming == 1
  local stands = alone and redis.call('HMGET', recipient.key, 'paused', 'deferred', 'token', 'lane', 'stepped', 'cursor',
    'version', 'behaviour') or {redis.call('HGET', recipient.key, 'paused')}
  if stands[1] then return end
  local given = alone and to_hand_out(recipient, stands, entry, mail)
  recipient.q = enqueue(session.root, recipient.key, recipient.id, session.id, recipient.pool, given)
end

-- The owner of a branch. Of one that was handed out with its mark the group knows it, until a commit has written it down.
local function owner_of(root, pool, q, token, owner)
  if owner or not q or token ~= q then return owner or '' end
  local reader = reader_of(root .. 'ready:' .. pool, q)
  return reader and not is_ahead(reader) and reader or ''
end

-- Whoever clears q removes that entry in the same call, by the id in the hash. An entry at the end of the stream stays:
-- it shows why there is no room.
local function drop_ready(ready_key, q)
  local key, id = place_of(ready_key, q)
  redis.pcall('XACK', key, GROUP, id)
  if id ~= LAST then redis.pcall('XDEL', key, id) end
end

local LEASE_FIELDS = {'token', 'owner', 'lease', 'handed', 'tries', 'tried_by', 'notice', 'at'}

-- Ends a lease. With work left the branch gets a new ready entry at the end of its pool's queue.
local function let_go(root, key, branch, session_id, pool, q, work)
  local ready_key = root .. 'ready:' .. pool
  if q then drop_ready(ready_key, q) end
  redis.call('HDEL', key, 'q', unpack(LEASE_FIELDS))
  if work then enqueue(root, key, branch, session_id, pool) end
end

-- The id is the server's time: a client reads on from the last one that it has seen, also when the key has expired.
local function answer_client(root, client, mail, body)
  local key = root .. 'reply:' .. client
  redis.pcall('XADD', key, '*', 'mail', mail, 'd', body)
  redis.pcall('PEXPIRE', key, REPLY_TTL_MS)
end

-- Almost every mail has one field; for those no table is made.
local function add_mail(key, mail)
  local m, x = mail.m or '', mail.x or ''
  local added
  if x == '' then
    added = redis.pcall('XADD', key, '*', 'm', m)
  else
    added = redis.pcall('XADD', key, '*', 'm', m, 'x', x)
  end
  if type(added) == 'table' then return nil, added.err end
  return added
end

-- The same for a station that may have come to its end: when all of it is done it begins anew, and the cursor with it.
local function add_to_station(recipient, station, mail)
  local key = recipient[station]
  local added, refused = add_mail(key, mail)
  if added or not is_stream(key) or length_of(key) > 0 then return added, refused end
  redis.call('UNLINK', key)
  if station == 'mailbox' then
    redis.call('HSET', recipient.key, 'cursor', '0-0')
    redis.call('HDEL', recipient.key, 'handed', 'tries')
  end
  return add_mail(key, mail)
end

-- Puts a mail into a recipient's mailbox or inbox. A stream that refuses makes a dead letter: nothing is lost. One that
-- comes `fresh` from its sender may be handed out with the mark.
local function deliver(session, recipient, straight, mail, fresh)
  local station = station_of(recipient, straight)
  local added, refused = add_to_station(recipient, station, mail)
  if refused then
    bury(session, recipient.id, mail, {reason = 'broken_mailbox', detail = refused})
    -- What is in its way may be something that a worker buries.
    if station == 'mailbox' and length_of(recipient.key .. ':mailbox') > 0 then mark(session, recipient) end
    return nil
  end
  count(session, 'posted', 1)
  if station == 'mailbox' then
    count(session, 'inflight', 1)
    mark(session, recipient, added, fresh and mail)
  elseif recipient.pool ~= '' and not recipient.listed then
    redis.call('SADD', session.key .. ':inboxes', recipient.id)
    recipient.listed = true
  end
  return added
end

-- A mail that waits for a round: the recipient before it, and behind it when it is due, where it was sent with a delay.
local function add_waiting(key, recipient, mail, due)
  if not due and (mail.x or '') == '' then
    return redis.pcall('XADD', key, '*', 'r', recipient, 'm', mail.m or '')
  end
  local fields = mail_fields(mail)
  if due then fields[#fields + 1], fields[#fields + 2] = 'd', due end
  return redis.pcall('XADD', key, '*', 'r', recipient, unpack(fields))
end

local function into_outbox(session, sender, mail)
  local key = branch_key(session.key, sender) .. ':outbox'
  local added = add_waiting(key, mail.recipient, mail, mail.delay > 0 and session.now + mail.delay)
  if type(added) == 'table' then
    return bury(session, mail.recipient, mail, {reason = 'broken_mailbox', detail = added.err})
  end
  -- Once a call is enough; the next mail of a turn or a post is of the same sender, as a rule.
  if session.listed ~= sender then redis.call('SADD', session.key .. ':outboxes', sender) end
  session.listed = sender
end

-- What the first entry of a version tells: when it was written, up to which entry of the mailbox, and by whom.
local function stamp_of(now, consumed, owners)
  return now .. ' ' .. consumed .. '\n' .. owners
end

-- Writes records into a log as one version; false when the log refuses its first entry, and then nothing has happened.
-- An entry is named by the last of its records, so that a read after any of them finds the entry of the next.
local function write_records(key, version, records, stamp)
  local log, begun, args, at, place = key .. ':log', number_text(version) .. '-', records.args, records.first, 0
  for i = 1, records.n do
    place = place + number_of(args[at])
    if i == 1 then
      local added = redis.pcall('XADD', log, begun .. number_text(place), 'r', args[at + 1], 't', stamp)
      if type(added) == 'table' and added.err then return false end
    else
      redis.pcall('XADD', log, begun .. number_text(place), 'r', args[at + 1])
    end
    at = at + 2
  end
  return true
end

local function forget_steps(key)
  redis.call('UNLINK', key .. ':steps')
  redis.call('HDEL', key, 'stepped')
end

-- What moving verbs have answered, for whoever asks for the very same again after a lost answer. Nobody asks later.
--
--   moved   <session key>:moved   hash with expiry: packed answers by their nonces, the latest ones
local ANSWER_TTL_MS = 60000
local ANSWERS_KEPT = 64

local function recall(session, nonce)
  local kept = nonce ~= '' and redis.pcall('HGET', session.key .. ':moved', nonce)
  return type(kept) == 'string' and cmsgpack.unpack(kept) or nil
end

local function remember(session, nonce, answer)
  if nonce == '' then return end
  local key = session.key .. ':moved'
  if redis.pcall('HLEN', key) == ANSWERS_KEPT then redis.call('UNLINK', key) end
  redis.pcall('HSET', key, nonce, cmsgpack.pack(answer))
  redis.pcall('PEXPIRE', key, ANSWER_TTL_MS)
end
