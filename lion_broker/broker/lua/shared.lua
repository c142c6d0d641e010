-- What the verbs share. Every key of a session has one hash tag, so a verb names the session's own key only and derives
-- the others here; lion_broker/broker/keys.py is the same table for Python.
--
--   session key      lion:{t}:s:<session>                 hash: delivery, cap, cap_bytes, counters, f:<field>
--   branch key       <session key>:b:<branch>             hash: id session name pool behaviour state copies copy_of doomed
--                                                               token owner lease cursor version q handed tries tried_by
--                                                               lane deferred paused bytes stepped notice nonce x:<field>
--   ready stream     lion:{t}:ready:<pool>                entries: s <session> b <branch>
--   due              lion:{t}:due                         zset: <session>/<branch> by the ms at which it has something due
--   mailbox, inbox   <branch key>:mailbox|inbox           entries: h <header> b <body> s <signature>
--   outbox, transit  <branch key>:outbox|transit          the same behind r <recipient>, before d <due ms> where delayed
--   lane             <branch key>:lane:<sender>           entries as in the mailbox: mail that waits to be tried again
--   lanes, tries     <branch key>:lanes|tries             zset: senders by the ms at which they are due;
--                                                         hash: <attempts at the head> <owners, a line each>
--   delayed          <branch key>:delayed                 zset: <number><packed mail> by the ms at which it is due
--   dead             <session key>:dead                   entries: reason error detail branch attempts owners h b s
--   steps            <branch key>:steps                   hash: calls outside of the turn in progress
--   cancelled        <branch key>:cancelled               set with expiry: commands that nobody waits for
--   budget           lion:{t}:limit:<name>                hash with expiry: requests tokens at
--   log              <branch key>:log                     entries <version>-<place>: k <kind> d <body> [h <header> s <signature>]
--
-- A verb checks everything first and writes afterwards: a script that fails in the middle keeps what it wrote.

local GROUP = 'workers'
local EVENTS_KEPT = 10000
-- What a client has not read in this time, it never will.
local REPLY_TTL_MS = 600000
local LAST = '18446744073709551615-18446744073709551615'
local ROOMY = 'stream with room'

local function register(name, callback, flags)
  redis.register_function{function_name = PREFIX .. name, callback = callback, flags = flags or {}}
end

local function now_ms()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local function root_of(key)
  return string.match(key, '^(lion:{[^}]*}:)')
end

local function branch_key(session_key, branch)
  return session_key .. ':b:' .. branch
end

-- Ids are "<ms>-<n>"; true when a comes after b.
local function after(a, b)
  local a_ms, a_n = string.match(a, '^(%d+)-(%d+)$')
  local b_ms, b_n = string.match(b, '^(%d+)-(%d+)$')
  if a_ms ~= b_ms then return tonumber(a_ms) > tonumber(b_ms) end
  return tonumber(a_n) > tonumber(b_n)
end

-- Reads the flat argument list in order.
local function reader(args)
  local at = 0
  local function text()
    at = at + 1
    return args[at]
  end
  local function number()
    return tonumber(text())
  end
  local function list(read)
    local found = {}
    for i = 1, number() do found[i] = read() end
    return found
  end
  return text, number, list
end

-- Whether a key is a stream that takes another entry, or nothing yet. Who has written the last id has ended the stream.
local function takes_more(key)
  local found = redis.pcall('XRANGE', key, LAST, LAST)
  return not found.err and #found == 0
end

local function is_kind(key, wanted)
  if wanted == ROOMY then return takes_more(key) end
  local kind = redis.call('TYPE', key)['ok']
  return kind == wanted or kind == 'none'
end

local function is_stream(key)
  return is_kind(key, 'stream')
end

local function entry_at(key, id)
  local found = redis.pcall('XRANGE', key, id, id)
  return not found.err and found[1] or nil
end

-- Entries from a place on; none of a key that is no stream, and none after the last id there is.
local function entries_from(key, start, limit)
  if start == '(' .. LAST then return {} end
  local found = redis.pcall('XRANGE', key, start, '+', 'COUNT', limit)
  return found.err and {} or found
end

local function length_of(key)
  local length = redis.pcall('XLEN', key)
  return type(length) == 'number' and length or 0
end

-- The values of an entry by name; hostile entries may hold anything, so nothing is taken for granted.
local function fields_of(entry)
  local values = {}
  for i = 1, #entry[2], 2 do values[entry[2][i]] = entry[2][i + 1] end
  return values
end

local function delete_entries(key, ids)
  for first = 1, #ids, 1000 do
    redis.call('XDEL', key, unpack(ids, first, math.min(first + 999, #ids)))
  end
end

-- What one call adds to the session's counters, written once at its end.
local function open_session(session_key)
  local values = redis.call('HMGET', session_key, 'delivery', 'cap', 'id', 'cap_bytes')
  if not values[1] then return nil end
  return {
    key = session_key, root = root_of(session_key), auto = values[1] == 'auto', cap = tonumber(values[2]) or 0,
    id = values[3], cap_bytes = tonumber(values[4]) or 0, counts = {}, known = {},
  }
end

local function count(session, counter, by)
  session.counts[counter] = (session.counts[counter] or 0) + by
end

local function write_counts(session)
  for counter, by in pairs(session.counts) do
    if by ~= 0 then redis.call('HINCRBY', session.key, counter, by) end
  end
  session.counts = {}
end

-- The live tail is for watching; it never fails a verb.
local function tell(session, ...)
  redis.pcall('XADD', session.key .. ':events', 'MAXLEN', '~', EVENTS_KEPT, '*', ...)
end

-- `error` is the class of what was raised, `owners` who has tried, the latest last.
local function bury(session, branch, mail, why)
  redis.call('XADD', session.key .. ':dead', '*', 'reason', why.reason, 'error', why.error or '', 'detail', why.detail,
    'branch', branch, 'attempts', why.attempts or 0, 'owners', why.owners or '',
    'h', mail.h or '', 'b', mail.b or '', 's', mail.s or '')
  count(session, 'dead', 1)
  tell(session, 'k', 'dead', 'branch', branch, 'reason', why.reason)
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
  local values = redis.pcall('HMGET', key, 'state', 'pool', 'q', 'paused', 'deferred', 'bytes')
  if values.err then values = {} end
  seen = {
    id = branch, key = key, pool = values[2] or '', q = values[3], paused = values[4],
    deferred = tonumber(values[5]) or 0, bytes = tonumber(values[6]) or 0, added = 0,
  }
  if not values[1] then
    seen.refused = 'UNKNOWN'
  elseif values[1] ~= 'open' then
    seen.refused = 'CLOSED'
  end
  session.known[branch] = seen
  return seen
end

local function station_of(recipient, straight)
  return (straight and recipient.pool ~= '') and 'mailbox' or 'inbox'
end

local function size_of(mail)
  return #(mail.h or '') + #(mail.b or '') + #(mail.s or '')
end

-- True when one more mail fits under `times` the session's limits, counting those that this call has let through.
local function fits(session, recipient, station, mail, times)
  if session.cap > 0 then
    recipient.waiting = recipient.waiting or redis.call('XLEN', recipient.key .. ':' .. station)
      + redis.call('ZCARD', recipient.key .. ':delayed') + recipient.deferred
    if recipient.waiting + recipient.added >= session.cap * times then return false end
  end
  if session.cap_bytes > 0 and recipient.bytes + size_of(mail) > session.cap_bytes * times then return false end
  recipient.added, recipient.bytes = recipient.added + 1, recipient.bytes + size_of(mail)
  return true
end

-- Where a session limits bytes, a branch knows how many wait for it.
local function weigh(session, key, bytes)
  if session.cap_bytes > 0 and bytes ~= 0 then redis.call('HINCRBY', key, 'bytes', bytes) end
end

-- Gives a branch a ready entry, whose id is q. Where the stream takes none, `promote` tries again later.
local function enqueue(root, key, branch, session_id, pool)
  local id = redis.pcall('XADD', root .. 'ready:' .. pool, '*', 's', session_id, 'b', branch)
  if type(id) == 'table' then
    redis.pcall('ZADD', root .. 'due', now_ms() + 1000, session_id .. '/' .. branch)
    return nil
  end
  redis.call('HSET', key, 'q', id)
  return id
end

-- Makes sure that a branch with work has exactly one ready entry, unless it is paused.
local function mark(session, recipient)
  if recipient.pool == '' or recipient.q or recipient.paused then return end
  recipient.q = enqueue(session.root, recipient.key, recipient.id, session.id, recipient.pool)
end

-- Whoever clears q removes that entry in the same call, by the id in the hash. An entry at the end of the stream stays:
-- it shows why there is no room.
local function drop_ready(ready_key, id)
  redis.pcall('XACK', ready_key, GROUP, id)
  if id ~= LAST then redis.pcall('XDEL', ready_key, id) end
end

local LEASE_FIELDS = {'token', 'owner', 'lease', 'handed', 'tries', 'tried_by', 'notice'}

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

local function add_mail(key, mail)
  local added = redis.pcall('XADD', key, '*', 'h', mail.h or '', 'b', mail.b or '', 's', mail.s or '')
  if type(added) == 'table' then return nil, added.err end
  return added
end

-- The same for a station that may have come to its end: when all of it is done it begins anew, and the cursor with it.
local function add_to_station(recipient, station, mail)
  local key = recipient.key .. ':' .. station
  local added, refused = add_mail(key, mail)
  if added or not is_stream(key) or length_of(key) > 0 then return added, refused end
  redis.call('UNLINK', key)
  if station == 'mailbox' then
    redis.call('HSET', recipient.key, 'cursor', '0-0')
    redis.call('HDEL', recipient.key, 'handed', 'tries')
  end
  return add_mail(key, mail)
end

-- Puts a mail into a recipient's mailbox or inbox. A stream that refuses makes a dead letter: nothing is lost.
local function deliver(session, recipient, straight, mail)
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
    mark(session, recipient)
  elseif recipient.pool ~= '' then
    redis.call('SADD', session.key .. ':inboxes', recipient.id)
  end
  return added
end

local function into_outbox(session, sender, mail)
  local fields = {'r', mail.recipient, 'h', mail.h, 'b', mail.b, 's', mail.s}
  if mail.delay > 0 then fields[9], fields[10] = 'd', now_ms() + mail.delay end
  local added = redis.pcall('XADD', branch_key(session.key, sender) .. ':outbox', '*', unpack(fields))
  if type(added) == 'table' then
    return bury(session, mail.recipient, mail, {reason = 'broken_mailbox', detail = added.err})
  end
  redis.call('SADD', session.key .. ':outboxes', sender)
end

-- Writes records into a log as one version; false when the log refuses its first entry, and then nothing has happened.
local function write_records(key, version, records)
  for place, record in ipairs(records) do
    local id = version .. '-' .. place
    local fields = {'k', record.kind, 'd', record.body}
    if record.head ~= '' then
      fields[5], fields[6] = 'h', record.head
    end
    local added = redis.pcall('XADD', key .. ':log', id, unpack(fields))
    if place == 1 and type(added) == 'table' and added.err then return false end
  end
  return true
end

-- A budget as it stands now: requests and tokens that are left, each false where there is no limit.
local function budget_at(key, limit_requests, limit_tokens, interval_ms)
  local values = redis.call('HMGET', key, 'requests', 'tokens', 'at')
  local now = now_ms()
  local passed = math.max(0, now - (tonumber(values[3]) or now))
  local function level(stored, limit)
    if limit < 0 then return false end
    return math.min(limit, (tonumber(stored) or limit) + passed * limit / interval_ms)
  end
  return {requests = level(values[1], limit_requests), tokens = level(values[2], limit_tokens), at = now}
end

local function write_budget(key, budget, interval_ms)
  redis.call('HSET', key, 'requests', tostring(budget.requests or 0), 'tokens', tostring(budget.tokens or 0),
    'at', budget.at)
  -- A budget that nobody has used for so long is full again, unless it was overdrawn by more than that.
  redis.call('PEXPIRE', key, math.max(interval_ms * 10, 60000))
end

local function forget_steps(key)
  redis.call('UNLINK', key .. ':steps')
  redis.call('HDEL', key, 'stepped')
end
