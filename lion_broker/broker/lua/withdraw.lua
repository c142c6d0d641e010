-- withdraw: mail that waits at a station of a branch becomes dead letters before anybody handles it; or (stop) mail that
-- its owner has in hand does.
--
-- KEYS 1: session key
-- ARGV branch, detail, answer, nonce, stop (0|1), lease_ms,
--      n, n × (outbox | transit | inbox | mailbox | lanes | delayed, lane, place, mail id, client or nothing)
-- -> n × (OK | UNKNOWN | HELD | CLOSED, dead letter or nothing)
--
-- UNKNOWN: the mail is not at that place (any more). HELD: its owner may have it in hand. Places are those that
-- read_waiting answers. A client waits for what the mail asks for: it is given the answer.
--
-- An owner whose lease is over loses the branch when mail that it has is withdrawn, as by a claim. A mark that hands out
-- such a mail and that nobody has read is taken back, as by a pause.
--
-- To stop is to take the token from an owner at work: what it would commit is not made. Its lease goes on, so that nobody
-- begins the next mail beside it, until it lets go or the lease ends. UNKNOWN: nobody has the mail in hand.

-- Who has the mail that was handed out: ALIVE, or OVER (a claim would take it away), UNREAD (it is still with the mark);
-- nobody has it where a turn was stopped, and who did the turn is LEAVING.
local function holder_of(session, was)
  if not was.token then return nil end
  if string.sub(was.token, -#STOPPED) == STOPPED then return 'LEAVING' end
  if was.token ~= was.q or was.lease then return (tonumber(was.lease) or 0) > session.now and 'ALIVE' or 'OVER' end
  local reader = reader_of(session.root .. 'ready:' .. was.pool, was.q)
  -- A reader ahead uses nothing of what it has read: it claims.
  return reader and not is_ahead(reader) and 'ALIVE' or 'UNREAD'
end

local function stands(session, key)
  local values = redis.pcall('HMGET', key, 'state', 'pool', 'q', 'token', 'lease', 'owner', 'handed', 'lane', 'deferred',
    'paused', 'stepped', 'tries', 'tried_by')
  if values.err then values = {} end
  local was = {
    state = values[1], pool = values[2] or '', q = values[3], token = values[4], lease = values[5], owner = values[6],
    handed = values[7], lane = values[8], deferred = tonumber(values[9]) or 0, paused = values[10], stepped = values[11],
    tries = tonumber(values[12]) or 0, tried_by = values[13] or '', lanes = {},
  }
  was.holder = was.state and holder_of(session, was)
  local head = entries_from(key .. ':mailbox', '-', 1)[1]
  was.head = head and head[1]
  return was
end

-- Whether the owner was given what is at a place, or may have read it there.
local function is_given(was, one)
  if not was.holder or was.holder == 'LEAVING' then return false end
  if one.where == 'mailbox' then return was.handed and not after(one.place, was.handed) end
  if one.where == 'lanes' then return was.lane == one.lane end
  return one.where == 'inbox' and was.pool == ''
end

local function delayed_at(key, place)
  local due, number = string.match(place, '^(%d+)-(%d+)$')
  for _, one in ipairs(redis.call('ZRANGEBYSCORE', key .. ':delayed', due, due)) do
    if tonumber(string.sub(one, 1, 15)) == tonumber(number) then
      local fields = cmsgpack.unpack(string.sub(one, 16))
      return {m = fields[1], x = fields[3]}, one
    end
  end
end

-- The id of a mail, whose header is a line behind its signature; nil of what is no mail.
local function id_of(mail)
  local m = mail.m or ''
  local first = m ~= '' and string.byte(m, 1) + 2 or 1
  local last = string.find(m, '\n', first, true)
  local read, header = pcall(cjson.decode, last and string.sub(m, first, last - 1) or '')
  return read and type(header) == 'table' and header.id or nil
end

-- What is at a place, and what it is called where it is taken away; nothing where another mail is.
local function find(key, one)
  local mail
  if one.where == 'delayed' then
    mail, one.member = delayed_at(key, one.place)
  else
    one.stream = one.where == 'lanes' and lane_key(key, one.lane) or key .. ':' .. one.where
    local entry = entry_at(one.stream, one.place)
    mail = entry and fields_of(entry)
  end
  return mail and id_of(mail) == one.id and mail or nil
end

local function word_for(key, was, one)
  if not was.state then return 'UNKNOWN' end
  -- What a removed branch has sent still goes out.
  if was.state ~= 'open' and one.where ~= 'outbox' then return 'CLOSED' end
  one.mail = find(key, one)
  if not one.mail then return 'UNKNOWN' end
  one.given = is_given(was, one)
  if was.stop and (not one.given or was.holder == 'UNREAD') then return 'UNKNOWN' end
  -- A program has read more than it is at.
  return one.given and was.holder == 'ALIVE' and (not was.stop or was.pool == '') and 'HELD' or 'OK'
end

-- Who has tried a mail and how often, as its dead letter says.
local function tries_at(key, was, one)
  if one.where == 'lanes' then
    local head = not was.lanes[one.lane] and entries_from(one.stream, '-', 1)[1]
    if not head or head[1] ~= one.place then return 0, '' end
    was.lanes[one.lane] = 'headless'
    return tries_of(key, one.lane)
  end
  if one.where ~= 'mailbox' or one.place ~= was.head or not was.handed or after(one.place, was.handed) then return 0, '' end
  was.headless = true
  if was.holder == 'UNREAD' then return 0, '' end
  local had_it = was.holder == 'OVER' or was.holder == 'LEAVING'
  return was.tries, had_it and was.owner and with_owner(was.tried_by, was.owner) or was.tried_by
end

-- Calls outside that a cut turn has recorded for a mail go with it; how many those were.
local function forget_calls(key, was, one)
  local gone = 0
  if not was.stepped or was.holder == 'ALIVE' then return gone end
  for _, name in ipairs(redis.call('HKEYS', key .. ':steps')) do
    if string.sub(name, 1, #one.id) == one.id then gone = gone + redis.call('HDEL', key .. ':steps', name) end
  end
  return gone
end

local function take_out(session, key, was, one)
  if one.where == 'delayed' then
    redis.call('ZREM', key .. ':delayed', one.member)
    count(session, 'delayed', -1)
  else
    redis.call('XDEL', one.stream, one.place)
  end
  if one.where == 'mailbox' or one.where == 'lanes' then count(session, 'inflight', -1) end
  if one.where ~= 'outbox' and one.where ~= 'transit' then weigh(session, key, -size_of(one.mail)) end
  if one.where == 'lanes' then
    was.lanes[one.lane] = was.lanes[one.lane] or 'shorter'
    was.deferred = was.deferred - 1
  end
end

local function withdraw(session, key, branch, was, one, detail, answer)
  local attempts, owners = tries_at(key, was, one)
  local calls = forget_calls(key, was, one)
  if calls > 0 then detail = detail .. ' Calls outside that its turn had begun, and that are not undone: ' .. calls .. '.' end
  -- What is stopped was begun, also behind the first mail of its turn.
  if was.stop and attempts == 0 then attempts, owners = 1, was.owner or '' end
  take_out(session, key, was, one)
  if one.client ~= '' then answer_client(session.root, one.client, one.id, answer) end
  return bury(session, one.where == 'outbox' and one.mail.r or branch, one.mail,
    {reason = was.stop and 'stopped' or 'withdrawn', detail = detail, attempts = attempts, owners = owners})
end

-- A lane without mail is none; one whose head has gone goes on at once.
local function settle_lanes(session, key, was)
  for lane, how in pairs(was.lanes) do
    local stream = lane_key(key, lane)
    if redis.call('XLEN', stream) == 0 then
      redis.call('UNLINK', stream)
      redis.call('ZREM', key .. ':lanes', lane)
    elseif how == 'headless' then
      redis.call('ZADD', key .. ':lanes', session.now, lane)
    end
    if how == 'headless' then redis.call('HDEL', key .. ':tries', lane) end
  end
  if not next(was.lanes) then return end
  if was.deferred > 0 then
    redis.call('HSET', key, 'deferred', was.deferred)
  else
    redis.call('HDEL', key, 'deferred')
  end
end

-- What is known of the head of the mailbox, and of a turn that was cut, where nobody is at work.
local function settle_turn(key, was, given)
  if was.holder == 'ALIVE' then return end
  if was.stopped then
    redis.call('HSET', key, 'token', was.token .. STOPPED, 'owner', was.owner, 'lease', was.lease or was.stopped)
  end
  if given and was.holder == 'OVER' then
    if was.tries > 0 and not was.lane and was.owner then
      redis.call('HSET', key, 'tried_by', with_owner(was.tried_by, was.owner))
    end
    redis.call('HDEL', key, 'token', 'owner', 'lease', 'notice', 'at')
    was.holder = nil
  end
  if was.headless then
    redis.call('HDEL', key, 'tried_by')
    redis.call('HSET', key, 'tries', 0)
  end
  local source = was.lane and lane_key(key, was.lane) or key .. ':mailbox'
  if not was.stepped or was.pool == '' then return end
  if redis.call('XLEN', source) == 0 or redis.call('HLEN', key .. ':steps') == 0 then forget_steps(key) end
end

-- What is left has a mark, and nothing has none; an owner sees to it with its commit, or a sweep where it is gone.
local function settle_mark(session, key, branch, was, given)
  if was.holder and was.holder ~= 'UNREAD' or was.pool == '' or was.state ~= 'open' then return end
  local left = has_work(key, session.now, was.deferred > 0, nil)
  if (given and was.holder == 'UNREAD') or (was.q and not left) then
    let_go(session.root, key, branch, session.id, was.pool, was.q, left and not was.paused)
  elseif left then
    mark(session, look(session, branch))
  end
end

local function check_keys(session, key)
  return check_kinds({
    [session.key .. ':dead'] = ROOMY, [key .. ':mailbox'] = 'stream', [key .. ':lanes'] = 'zset', [key .. ':tries'] = 'hash',
    [key .. ':delayed'] = 'zset', [key .. ':steps'] = 'hash', [session.root .. 'due'] = 'zset',
  })
end

register('withdraw', function(keys, args)
  local text, number, list = reader(args)
  local branch, detail, answer, nonce = text(), text(), text(), text()
  local stop, lease_ms = text() == '1', number()
  local wanted = list(function()
    return {where = text(), lane = text(), place = text(), id = text(), client = text()}
  end)
  local session = open_session(keys[1])
  local before = session and recall(session, nonce)
  if before then return before end
  local key = branch_key(keys[1], branch)
  local was = session and stands(session, key) or {}
  was.stop = stop
  local broken = was.state and check_keys(session, key)
  if broken then return broken end
  local answers, chosen, given, moved = {}, {}, false, false
  for i, one in ipairs(wanted) do
    local word = chosen[one.id] and 'UNKNOWN' or word_for(key, was, one)
    answers[i * 2 - 1], answers[i * 2], chosen[one.id] = word, '', true
    moved = moved or word == 'OK'
    given = given or (word == 'OK' and one.given)
  end
  if not moved then return answers end
  if stop and was.holder == 'ALIVE' then
    was.owner = owner_of(session.root, was.pool, was.q, was.token, was.owner)
    was.holder, was.stopped = 'LEAVING', session.now + lease_ms
  end
  for i, one in ipairs(wanted) do
    if answers[i * 2 - 1] == 'OK' then
      answers[i * 2] = withdraw(session, key, branch, was, one, detail, answer)
    end
  end
  settle_lanes(session, key, was)
  settle_turn(key, was, given)
  plan(session.root, key, session.id, branch, session.now)
  settle_mark(session, key, branch, was, given)
  write_counts(session)
  remember(session, nonce, answers)
  return answers
end, {'allow-oom'})
