-- commit: everything a turn did, or nothing.
--
-- KEYS 1: session key
-- ARGV branch, token, cursor, consumed, version, lease_ms, batch, after, handled, nonce, lane, lane_done, pause, strict,
--      n, n × (count, records)                              records
--      n, n × (recipient, direct, mail, blob, delay_ms)    outgoing mail
--      n, n × (client, mail id, body)                                       replies
--      n, n × inbox entry                                                   taken
--      n, n × entry of the turn                                             aside
--      n, n × (entry, reason, error, detail, attempts, of the inbox (0|1))  buried
--      n, n × (entry, lane, pause_ms, attempts)                             deferred
-- -> {OK | DRAINED | ALREADY | STALE | FENCED | FULL | UNKNOWN, cursor, version, attempts, full branch, now, lane, {lane, …},
--     mail, …}  as answer_of has them
--
-- A turn is of the mailbox, or of a lane: then the cursor stays, and lane_done is the last entry that was handled. An
-- answer with a lane means that the caller drops what it holds of the mailbox.

local function text_at(args, at)
  return args[at]
end

local function reply_at(args, at)
  return {client = args[at], mail = args[at + 1], body = args[at + 2]}
end

local function burial_at(args, at)
  return {
    entry = args[at], reason = args[at + 1], error = args[at + 2], detail = args[at + 3], attempts = args[at + 4],
    inbox = args[at + 5] == '1',
  }
end

local function deferral_at(args, at)
  return {entry = args[at], lane = args[at + 1], pause = tonumber(args[at + 2]), attempts = tonumber(args[at + 3])}
end

local function parse(args)
  local turn = {
    branch = args[1], token = args[2], cursor = args[3], consumed = args[4], version = tonumber(args[5]),
    lease_ms = tonumber(args[6]), batch = tonumber(args[7]), after = args[8], handled = tonumber(args[9]),
    nonce = args[10], lane = args[11], lane_done = args[12], pause = args[13], strict = args[14] == '1',
    of_lane = args[11] ~= '',
  }
  local at = 15
  turn.records, at = records_at(args, at)
  turn.mails, at = list_at(args, at, 5, mail_at)
  turn.replies, at = list_at(args, at, 3, reply_at)
  turn.taken, at = list_at(args, at, 1, text_at)
  turn.aside, at = list_at(args, at, 1, text_at)
  turn.buried, at = list_at(args, at, 6, burial_at)
  turn.deferred = list_at(args, at, 4, deferral_at)
  return turn
end

local function stands(key)
  local values = redis.call('HMGET', key, 'token', 'version', 'cursor', 'pool', 'q', 'owner', 'handed', 'stepped',
    'nonce', 'lane', 'deferred', 'paused', 'tried_by', 'tries')
  return {
    token = values[1], version = tonumber(values[2] or 0), cursor = values[3] or '0-0', pool = values[4] or '',
    q = values[5], owner = values[6], handed = values[7], stepped = values[8], nonce = values[9],
    lane = values[10], deferred = tonumber(values[11]) or 0, paused = values[12], tried_by = values[13] or '',
    tries = tonumber(values[14]) or 0,
  }
end

-- Whether an entry is one that the turn has handled.
local function is_of_turn(turn, id)
  if turn.of_lane then return not after(id, turn.lane_done) end
  return after(id, turn.cursor) and not after(id, turn.consumed)
end

-- Finds the entries that the turn takes, sets aside, buries or defers; false when one is not there.
local function find_entries(key, turn)
  for i, id in ipairs(turn.taken) do
    local entry = entry_at(key .. ':inbox', id)
    if not entry then return false end
    turn.taken[i] = {id = id, mail = fields_of(entry)}
  end
  turn.aside_ids = {unpack(turn.aside)}
  for i, id in ipairs(turn.aside) do
    local entry = entry_at(turn.source, id)
    if not entry or not is_of_turn(turn, id) then return false end
    turn.aside[i] = fields_of(entry)
  end
  for _, burial in ipairs(turn.buried) do
    local entry = entry_at(burial.inbox and key .. ':inbox' or turn.source, burial.entry)
    if not entry or not (burial.inbox or is_of_turn(turn, burial.entry)) then return false end
    burial.mail = fields_of(entry)
  end
  for _, deferral in ipairs(turn.deferred) do
    local entry = entry_at(turn.source, deferral.entry)
    -- What fails in a lane stays where it is, at the head.
    if not entry or is_of_turn(turn, deferral.entry) == turn.of_lane then return false end
    if turn.of_lane and deferral.lane ~= turn.lane then return false end
    deferral.mail = fields_of(entry)
  end
  return true
end

-- Where the turn ends must be an entry of what it worked on.
local function ends_well(turn, was)
  if turn.of_lane then
    return turn.consumed == turn.cursor and (turn.lane_done == '0-0' or entry_at(turn.source, turn.lane_done) ~= nil)
  end
  if turn.consumed == turn.cursor then return true end
  -- What was given out last need not be looked for: nothing but a commit takes it away.
  return after(turn.consumed, turn.cursor) and (turn.consumed == was.handed or entry_at(turn.source, turn.consumed) ~= nil)
end

-- Decides without writing: the word that refuses the turn, or nil.
local function refusal(key, turn, was)
  if was.token ~= turn.token then return 'FENCED' end
  -- A later version is this very commit, made before, or the work of another copy of the branch.
  if was.version == turn.version + 1 and was.nonce == turn.nonce then return 'ALREADY' end
  if was.version ~= turn.version or was.cursor ~= turn.cursor then return 'STALE' end
  if turn.of_lane and turn.lane ~= was.lane then return 'STALE' end
  if not ends_well(turn, was) or not find_entries(key, turn) then return 'STALE' end
  return nil
end

-- The keys that the turn may write to by plain calls, which must not fail half way.
local function check_keys(session, key, turn, was)
  local kinds = {}
  if #turn.buried + #turn.deferred > 0 then kinds[session.key .. ':dead'] = ROOMY end
  if was.deferred > 0 or #turn.deferred > 0 then
    kinds[key .. ':lanes'], kinds[key .. ':tries'] = 'zset', 'hash'
    kinds[key .. ':delayed'], kinds[session.root .. 'due'] = 'zset', 'zset'
  end
  if #turn.aside > 0 then
    kinds[key .. ':inbox'], kinds[session.key .. ':inboxes'] = ROOMY, 'set'
  end
  if was.pool ~= '' then kinds[key .. ':mailbox'] = 'stream' end
  for _, deferral in ipairs(turn.deferred) do kinds[lane_key(key, deferral.lane)] = 'stream' end
  return check_kinds(kinds, session) or check_outgoing(session, key, turn)
end

-- Who has tried the first mail of the turn, this owner included.
local function owners_of(key, turn, was)
  local owners = was.tried_by
  if turn.of_lane then
    local _, of_lane = tries_of(key, turn.lane)
    owners = of_lane
  end
  return with_owner(owners, was.owner)
end

-- The mails that leave the branch with this turn, where a session limits bytes or has blobs; nothing else needs them.
local function leaving(session, turn)
  if session.cap_bytes == 0 and session.blobs == 0 then return {} end
  local left = {}
  local from = turn.of_lane and '-' or '(' .. turn.cursor
  local upto = turn.of_lane and turn.lane_done or turn.consumed
  for _, entry in ipairs(redis.call('XRANGE', turn.source, from, upto)) do left[entry[1]] = fields_of(entry) end
  if not turn.of_lane then
    for _, deferral in ipairs(turn.deferred) do left[deferral.entry] = nil end
  end
  for _, id in ipairs(turn.aside_ids) do left[id] = nil end
  for _, one in ipairs(turn.taken) do left['inbox ' .. one.id] = one.mail end
  for _, burial in ipairs(turn.buried) do
    left[burial.inbox and 'inbox ' .. burial.entry or burial.entry] = burial.mail
    burial.mail.buried = true
  end
  return left
end

-- What has left makes room, and lets go of its blobs unless it lives on as a dead letter.
local function let_leave(session, key, left)
  local bytes = 0
  for _, mail in pairs(left) do
    bytes = bytes + size_of(mail)
    if not mail.buried then let_blob_go(session, mail) end
  end
  weigh(session, key, -bytes)
end

-- Takes what the turn has handled out of the mailbox, or the lane; what it defers waits in lanes. Answers the mails deferred.
local function advance(session, key, turn, was, now)
  local deferred = was.deferred
  if turn.of_lane then
    local first = turn.deferred[1]
    local gone = trim_lane(key, turn.lane, turn.lane_done, now, first and first.pause, first and first.attempts,
      turn.owners)
    count(session, 'inflight', -gone)
    deferred = deferred - gone
  else
    for _, deferral in ipairs(turn.deferred) do
      deferred = deferred + defer(session, key, turn.branch, deferral.entry, deferral.mail, deferral, turn.owners, now)
    end
    if turn.consumed ~= turn.cursor then
      count(session, 'inflight', -drop_upto(key .. ':mailbox', turn.consumed))
    end
  end
  if deferred > 0 then
    redis.call('HSET', key, 'deferred', deferred)
  elseif was.deferred > 0 then
    redis.call('HDEL', key, 'deferred')
  end
  if deferred > 0 or was.deferred > 0 then plan(session.root, key, session.id, turn.branch, now) end
  return deferred
end

local function settle(session, key, turn, was)
  local taken = {}
  for i, one in ipairs(turn.taken) do taken[i] = one.id end
  delete_entries(key .. ':inbox', taken)
  for _, mail in ipairs(turn.aside) do
    redis.call('XADD', key .. ':inbox', '*', unpack(mail_fields(mail)))
  end
  if #turn.aside > 0 and was.pool ~= '' then redis.call('SADD', session.key .. ':inboxes', turn.branch) end
  for _, burial in ipairs(turn.buried) do
    burial.owners = turn.owners
    bury(session, turn.branch, burial.mail, burial)
    if burial.inbox then redis.call('XDEL', key .. ':inbox', burial.entry) end
  end
  for _, reply in ipairs(turn.replies) do
    answer_client(session.root, reply.client, reply.mail, reply.body)
  end
  count(session, 'applied', turn.handled)
end

-- Ends the lease. The mark may be of this very call: a branch that writes to itself has marked itself.
local function drain(session, key, turn, was, now, work)
  if was.lane then redis.call('HDEL', key, 'lane') end
  local q = session.known[turn.branch] and session.known[turn.branch].q or was.q
  let_go(session.root, key, turn.branch, session.id, was.pool, q, work)
  return answer_of('DRAINED', {cursor = turn.consumed, version = turn.version + 1}, now, 0)
end

-- Hands out the next mails, or ends the lease.
local function go_on(session, key, turn, was, now, deferred)
  local stands_at = {cursor = turn.consumed, version = turn.version + 1}
  local lease = now + turn.lease_ms
  redis.call('HSET', key, 'cursor', turn.consumed, 'version', turn.version + 1, 'nonce', turn.nonce, 'lease', lease,
    'owner', was.owner)
  if was.pool == '' then
    return answer_of('OK', stands_at, now, 0)
  end
  local paused = was.paused or turn.pause ~= ''
  if turn.batch == 0 or paused then
    return drain(session, key, turn, was, now, has_work(key, now, deferred > 0, paused))
  end
  local lane = deferred > 0 and due_lane(key, now) or nil
  if lane then
    local entries, attempts = hand_out_lane(session, key, lane, was.owner, turn.batch, false)
    -- What a lane goes before has been tried no less: lanes do not make a mail that kills its workers any younger.
    if not turn.of_lane then redis.call('HSET', key, 'handed', turn.consumed, 'tries', 0) end
    return answer_of('OK', stands_at, now, attempts, lane, lanes_of(key), entries)
  end
  local holds_more = not turn.of_lane and after(turn.after, turn.consumed)
    and (turn.after == was.handed or entry_at(key .. ':mailbox', turn.after) ~= nil)
  local from = holds_more and turn.after or turn.consumed
  local batch = turn.batch
  local tried = was.handed and after(was.handed, from)
  if tried then batch = math.min(batch, 1) end
  local entries = next_entries(key .. ':mailbox', from, batch)
  if #entries == 0 and not holds_more then return drain(session, key, turn, was, now, false) end
  local newest = #entries > 0 and entries[#entries][1] or from
  if was.handed and after(was.handed, newest) then newest = was.handed end
  local attempts = tried and turn.of_lane and was.tries + 1 or 1
  redis.call('HSET', key, 'handed', newest, 'tries', attempts)
  if attempts > 1 then
    redis.call('HDEL', key, 'lane')
    count(session, 'redelivered', 1)
  elseif was.tries > 1 or was.lane then
    redis.call('HDEL', key, 'tried_by', 'lane')
  end
  return answer_of('OK', stands_at, now, attempts, nil, deferred > 0 and lanes_of(key), entries)
end

register('commit', function(keys, args)
  local turn = parse(args)
  local session = open_session(keys[1])
  local key = branch_key(keys[1], turn.branch)
  turn.source = turn.of_lane and lane_key(key, turn.lane) or key .. ':mailbox'
  local was, now = stands(key), session and session.now or now_ms()
  local refused = session and refusal(key, turn, was) or (not session and 'UNKNOWN') or nil
  if refused then return answer_of(refused, was, now, 0) end
  was.owner = owner_of(session.root, was.pool, was.q, was.token, was.owner)
  local wrong, full = address(session, turn)
  local broken = wrong or check_keys(session, key, turn, was)
  if broken then return broken end
  if full then
    forget_blobs(session, turn.mails)
    return answer_of('FULL', {cursor = was.cursor, version = was.version, behaviour = full}, now, 0)
  end
  local left = leaving(session, turn)
  turn.owners = owners_of(key, turn, was)
  local stamp = stamp_of(session.now_text, turn.consumed ~= turn.cursor and turn.consumed or '', turn.owners)
  if not write_records(key, turn.version + 1, turn.records, stamp) then return answer_of('STALE', was, now, 0) end
  if was.stepped then forget_steps(key) end
  if turn.pause ~= '' then
    redis.call('HSET', key, 'paused', turn.pause)
    if not was.paused then count_paused(session.root, was.pool, 1) end
  end
  settle(session, key, turn, was)
  local deferred = advance(session, key, turn, was, now)
  send_out(session, turn)
  -- What is sent on names its blob before what it came with lets go of it.
  let_leave(session, key, left)
  local answer = go_on(session, key, turn, was, now, deferred)
  tell_turn(session, turn.branch, turn.version + 1, turn.consumed, was.owner,
    {handled = turn.handled, sent = #turn.mails, deferred = #turn.deferred})
  if turn.pause ~= '' then tell(session, 'k', 'paused', 'branch', turn.branch, 'reason', turn.pause) end
  write_counts(session)
  return answer
end, {'allow-oom'})
