-- What the verbs share. Every key of a session has one hash tag, so a verb names the session's own key only and derives
-- the others here; lion_broker/broker/keys.py is the same table for Python.
--
--   session key      lion:{t}:s:<session>                 hash: delivery, cap, cap_bytes, counters, blobs, f:<field>,
--                                                               front:<pool> <number> <first entry> <its branch>
--   branch key       <session key>:b:<branch>             hash: id session name pool behaviour state copies copy_of doomed
--                                                               token owner lease cursor version q handed tries tried_by
--                                                               lane deferred paused bytes stepped notice nonce x:<field>
--                                                               at <mail> <token> <ms>: what an owner said it is
--                                                               at, since when
--   ready stream     lion:{t}:ready:<pool>                entries: s <session> b <branch>, and where it hands out a mail
--                                                               e <entry> m <mail> c <cursor> v <version> f <behaviour>
--   overflow         lion:{t}:overflow:<pool>             entries: s <session> b <branch>; the mark's name is o<entry>
--   due              lion:{t}:due                         zset: <session>/<branch> by the ms at which it has something due
--   pools            lion:{t}:pools                       hash: pool to wanted workers, or to nothing
--   paused           lion:{t}:paused                      hash: n:<pool> how many of its branches are paused,
--                                                               r:<pool> why those that are made for it are
--   workers          lion:{t}:workers                     hash with expiry: report heard order, each :<owner>
--   heartbeats       lion:{t}:heartbeats                  zset with expiry: owners by the ms at which they are forgotten
--   mailbox, inbox   <branch key>:mailbox|inbox           entries: m <mail> [x <blob>]
--   outbox, transit  <branch key>:outbox|transit          the same behind r <recipient>, before d <due ms> where delayed
--   lane             <branch key>:lane:<sender>           entries as in the mailbox: mail that waits to be tried again
--   lanes, tries     <branch key>:lanes|tries             zset: senders by the ms at which they are due;
--                                                         hash: <attempts at the head> <owners, a line each>
--   delayed          <branch key>:delayed                 zset: <number><packed mail> by the ms at which it is due
--   dead             <session key>:dead                   entries: reason error detail branch attempts owners m [x]
--   steps            <branch key>:steps                   hash: calls outside of the turn in progress
--   cancelled        <branch key>:cancelled               set with expiry: commands that nobody waits for
--   limits           lion:{t}:limits                      zset with expiry: names of budgets by the ms of their last use
--   budget           lion:{t}:limit:<name>                hash with expiry: requests tokens at limits title wait:<who>
--   audit            lion:{t}:audit                       stream, capped: who what target detail nonce
--   log              <branch key>:log                     entries <version>-<place of the last>: r <records>, the first
--                                                         of a version with t <ms> <cursor>, and owners, a line each
--
-- A mail is one value, as codec.py packs it: header, body and signature; what a server is asked for each value of an entry
-- is more than what its bytes cost. No verb looks into it. Records of the log are one value as well, as many as fit.
--
-- A verb checks everything first and writes afterwards: a script that fails in the middle keeps what it wrote.

local GROUP = 'workers'
-- About 200 kB a session. Who watches reads as things happen; what has happened is in the logs.
local EVENTS_KEPT = 2000
-- What a client has not read in this time, it never will.
local REPLY_TTL_MS = 600000
local LAST = '18446744073709551615-18446744073709551615'
-- How the name of a reader ends whose entries wait in line: it claims, whatever they hand out.
local AHEAD = ':ahead'
local ROOMY = 'stream with room'
-- How a token ends of which the turn was stopped: it is nobody's, but for who had it and lets go.
local STOPPED = ':stopped'

local function register(name, callback, flags)
  redis.register_function{function_name = PREFIX .. name, callback = callback, flags = flags or {}}
end

-- The time in ms, as a number and as a text: to make one of the other is dearer than to cut it out of what the server says.
local function time_now()
  local time = redis.call('TIME')
  local seconds, micros = time[1], time[2]
  if #micros == 6 then
    local text = seconds .. string.sub(micros, 1, 3)
    return tonumber(text), text
  end
  local now = tonumber(seconds) * 1000 + math.floor(tonumber(micros) / 1000)
  return now, string.format('%d', now)
end

local function now_ms()
  local now = time_now()
  return now
end

-- Small numbers as they come and as they are written, as far as they were asked for: to read or to make the text of one
-- is dearer than to look it up.
local READ, WRITTEN = {}, {}

local function number_of(text)
  local number = READ[text]
  if number then return number end
  number = tonumber(text)
  if number and #text <= 3 then READ[text] = number end
  return number
end

local function number_text(number)
  local text = WRITTEN[number]
  if not text then
    text = string.format('%d', number)
    if number <= 1024 then WRITTEN[number] = text end
  end
  return text
end

local function root_of(key)
  return string.match(key, '^(lion:{[^}]*}:)')
end

-- What stands behind a pool's ready stream.
local function overflow_of(ready_key)
  local root = root_of(ready_key)
  return root .. 'overflow:' .. string.sub(ready_key, #root + #'ready:' + 1)
end

-- How many branches of a pool are paused, for whoever looks at all of them; it never fails a verb.
local function count_paused(root, pool, by)
  local left = pool ~= '' and redis.pcall('HINCRBY', root .. 'paused', 'n:' .. pool, by)
  if type(left) == 'number' and left <= 0 then redis.call('HDEL', root .. 'paused', 'n:' .. pool) end
end

local function branch_key(session_key, branch)
  return session_key .. ':b:' .. branch
end

-- Ids are "<ms>-<n>"; true when a comes after b. Numbers without zeros before them: the longer one is greater, and of two
-- as long the one that is greater as a text.
local function after(a, b)
  local a_dash, b_dash = string.find(a, '-', 1, true), string.find(b, '-', 1, true)
  if a_dash ~= b_dash then return a_dash > b_dash end
  if #a ~= #b and string.sub(a, 1, a_dash) == string.sub(b, 1, b_dash) then return #a > #b end
  return a > b
end

-- The id that follows on an id, or nil where it is too large for a number here.
local function successor(id)
  local ms, n = string.match(id, '^(%d+)-(%d+)$')
  return #n < 14 and ms .. '-' .. (n + 1) or nil
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
-- From the end, where nothing is searched through.
local function takes_more(key)
  local found = redis.pcall('XREVRANGE', key, '+', '+')
  return not found.err and #found == 0
end

-- What counts the items of each kind of key, and refuses the other kinds: a number is a cheaper answer than a word.
local COUNTS = {stream = 'XLEN', hash = 'HLEN', set = 'SCARD', zset = 'ZCARD', string = 'STRLEN'}

local function is_kind(key, wanted)
  if wanted == ROOMY then return takes_more(key) end
  return type(redis.pcall(COUNTS[wanted], key)) == 'number'
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

-- Whether fields are those of a mail without a blob, as verbs write it.
local function is_plain(fields)
  return #fields == 2 and fields[1] == 'm'
end

local function delete_entries(key, ids)
  for first = 1, #ids, 1000 do
    redis.call('XDEL', key, unpack(ids, first, math.min(first + 999, #ids)))
  end
end

-- Takes the beginning of a stream away, up to an entry and with it; returns how many entries those were.
local function drop_upto(key, id)
  local behind = successor(id)
  if behind then return redis.call('XTRIM', key, 'MINID', behind) end
  return redis.call('XTRIM', key, 'MINID', id) + redis.call('XDEL', key, id)
end

-- What one call adds to the session's counters, written once at its end.
local function open_session(session_key)
  local values = redis.call('HMGET', session_key, 'delivery', 'cap', 'cap_bytes', 'blobs')
  if not values[1] then return nil end
  local root, now, now_text = root_of(session_key), time_now()
  return {
    key = session_key, root = root, id = string.sub(session_key, #root + 3), now = now, now_text = now_text,
    auto = values[1] == 'auto', cap = number_of(values[2]) or 0, cap_bytes = number_of(values[3]) or 0,
    blobs = number_of(values[4]) or 0, counts = {posted = 0, inflight = 0}, known = {}, sound = {},
  }
end

local function count(session, counter, by)
  session.counts[counter] = (session.counts[counter] or 0) + by
end

local function write_counts(session)
  for counter, by in pairs(session.counts) do
    if by ~= 0 then redis.call('HINCRBY', session.key, counter, by) end
    session.counts[counter] = 0
  end
end

-- The live tail is for watching; it never fails a verb.
local function tell(session, ...)
  redis.pcall('XADD', session.key .. ':events', 'MAXLEN', '~', EVENTS_KEPT, '*', ...)
end

-- A turn is told in one value: what there are most of cost half as much that way.
local function tell_turn(session, branch, version, cursor, owner, did)
  local handled, sent, deferred = number_text(did.handled), number_text(did.sent), number_text(did.deferred)
  tell(session, 'turn', branch .. ' ' .. number_text(version) .. ' ' .. cursor .. ' ' .. handled .. ' ' .. sent .. ' ' .. deferred
    .. ' ' .. owner)
end
