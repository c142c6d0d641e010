-- commit: everything a turn did, or nothing.
--
-- KEYS 1: session key
-- ARGV branch, token, cursor, consumed, version, lease_ms, batch, after, handled, nonce,
--      n, n × (kind, header, body)                                          records
--      n, n × (recipient, direct, header, body, signature)                  outgoing mail
--      n, n × (client, mail id, body)                                       replies
--      n, n × inbox entry                                                   taken
--      n, n × mailbox entry                                                 aside
--      n, n × (entry, reason, detail, attempts, of the inbox (0|1))         buried
-- -> {OK | DRAINED | ALREADY | STALE | FENCED | UNKNOWN, cursor, version, entry, entry …}

local function parse(args)
  local text, number, list = reader(args)
  return {
    branch = text(), token = text(), cursor = text(), consumed = text(), version = number(), lease_ms = number(),
    batch = number(), after = text(), handled = number(), nonce = text(),
    records = list(function() return {kind = text(), head = text(), body = text()} end),
    mails = list(function()
      return {recipient = text(), direct = text() == '1', h = text(), b = text(), s = text()}
    end),
    replies = list(function() return {client = text(), mail = text(), body = text()} end),
    taken = list(text), aside = list(text),
    buried = list(function() return {entry = text(), reason = text(), detail = text(), attempts = text(), inbox = text() == '1'} end),
  }
end

local function stands(key)
  local values = redis.call('HMGET', key, 'token', 'version', 'cursor', 'pool', 'q', 'owner', 'handed',
    'stepped', 'nonce')
  return {
    token = values[1], version = tonumber(values[2] or 0), cursor = values[3] or '0-0', pool = values[4] or '',
    q = values[5], owner = values[6] or '', handed = values[7], stepped = values[8], nonce = values[9],
  }
end

-- Finds the entries that the turn sets aside or buries; false when one is not there.
local function find_entries(key, turn)
  for _, id in ipairs(turn.taken) do
    if not entry_at(key .. ':inbox', id) then return false end
  end
  for i, id in ipairs(turn.aside) do
    local entry = entry_at(key .. ':mailbox', id)
    if not entry or not after(id, turn.cursor) or after(id, turn.consumed) then return false end
    turn.aside[i] = fields_of(entry)
  end
  for _, burial in ipairs(turn.buried) do
    local of_turn = after(burial.entry, turn.cursor) and not after(burial.entry, turn.consumed)
    local entry = entry_at(key .. (burial.inbox and ':inbox' or ':mailbox'), burial.entry)
    if not entry or not (burial.inbox or of_turn) then return false end
    burial.mail = fields_of(entry)
  end
  return true
end

-- Decides without writing: the word that refuses the turn, or nil.
local function refusal(session, key, turn, now_at)
  if now_at.token ~= turn.token then return 'FENCED' end
  -- A later version is this very commit, made before, or the work of another copy of the branch.
  if now_at.version == turn.version + 1 and now_at.nonce == turn.nonce then return 'ALREADY' end
  if now_at.version ~= turn.version or now_at.cursor ~= turn.cursor then return 'STALE' end
  if turn.consumed ~= turn.cursor then
    if not after(turn.consumed, turn.cursor) or not entry_at(key .. ':mailbox', turn.consumed) then return 'STALE' end
  end
  if not find_entries(key, turn) then return 'STALE' end
  for _, mail in ipairs(turn.mails) do look(session, mail.recipient) end
  return nil
end

-- The streams that the turn may write to by plain calls, which must not fail half way.
local function check_keys(session, key, turn)
  local names = {}
  if #turn.mails + #turn.buried > 0 then names[#names + 1] = session.key .. ':dead' end
  if #turn.mails > 0 then names[#names + 1] = key .. ':outbox' end
  if #turn.aside > 0 then names[#names + 1] = key .. ':inbox' end
  for _, name in ipairs(names) do
    if not is_stream(name) then return redis.error_reply(name .. ' is no stream; the turn was not committed.') end
  end
  return nil
end

local function dispatch(session, turn)
  for _, mail in ipairs(turn.mails) do
    local recipient = look(session, mail.recipient)
    local straight = session.auto or mail.direct
    local refused = recipient.refused
    if not refused and straight and not fits(session, recipient, station_of(recipient, true)) then refused = 'FULL' end
    if refused then
      bury(session, mail.recipient, REASONS[refused], 'The branch did not take the mail that was sent to it.', 0, '', mail)
    elseif straight then
      deliver(session, recipient, true, mail)
    else
      into_outbox(session, turn.branch, mail)
    end
  end
end

local function settle(session, key, turn, owner, pool)
  delete_entries(key .. ':inbox', turn.taken)
  for _, mail in ipairs(turn.aside) do
    redis.call('XADD', key .. ':inbox', '*', 'h', mail.h or '', 'b', mail.b or '', 's', mail.s or '')
  end
  if #turn.aside > 0 and pool ~= '' then redis.call('SADD', session.key .. ':inboxes', turn.branch) end
  for _, burial in ipairs(turn.buried) do
    bury(session, turn.branch, burial.reason, burial.detail, burial.attempts, owner, burial.mail)
    if burial.inbox then redis.call('XDEL', key .. ':inbox', burial.entry) end
  end
  for _, reply in ipairs(turn.replies) do
    answer_client(session.root, reply.client, reply.mail, reply.body)
  end
  if turn.consumed ~= turn.cursor then
    local gone = redis.call('XTRIM', key .. ':mailbox', 'MINID', turn.consumed)
    gone = gone + redis.call('XDEL', key .. ':mailbox', turn.consumed)
    count(session, 'inflight', -gone)
  end
  count(session, 'applied', turn.handled)
end

-- Hands out the next mails, or ends the lease.
local function go_on(session, key, turn, was)
  local version = turn.version + 1
  local lease = now_ms() + turn.lease_ms
  if was.pool == '' then
    redis.call('HSET', key, 'cursor', turn.consumed, 'version', version, 'nonce', turn.nonce, 'lease', lease)
    return {'OK', turn.consumed, version}
  end
  local holds_more = after(turn.after, turn.consumed) and entry_at(key .. ':mailbox', turn.after) ~= nil
  local from = holds_more and turn.after or turn.consumed
  local batch = turn.batch
  if was.handed and after(was.handed, from) then batch = math.min(batch, 1) end
  local entries = batch > 0 and next_entries(key, from, batch) or {}
  if batch == 0 or (#entries == 0 and not holds_more) then
    redis.call('HSET', key, 'cursor', turn.consumed, 'version', version, 'nonce', turn.nonce)
    local work = batch == 0 and redis.call('XLEN', key .. ':mailbox') > 0
    -- The mark may be of this very call: a branch that writes to itself has marked itself.
    local q = session.known[turn.branch] and session.known[turn.branch].q or was.q
    let_go(session.root, key, turn.branch, session.id, was.pool, q, work)
    return {'DRAINED', turn.consumed, version}
  end
  local newest = #entries > 0 and entries[#entries][1] or from
  if was.handed and after(was.handed, newest) then newest = was.handed end
  redis.call('HSET', key, 'cursor', turn.consumed, 'version', version, 'nonce', turn.nonce, 'lease', lease,
    'handed', newest, 'tries', 1)
  local answer = {'OK', turn.consumed, version}
  for _, entry in ipairs(entries) do answer[#answer + 1] = entry end
  return answer
end

register('commit', function(keys, args)
  local turn = parse(args)
  local session = open_session(keys[1])
  local key = branch_key(keys[1], turn.branch)
  local was = stands(key)
  local refused = session and refusal(session, key, turn, was) or (not session and 'UNKNOWN') or nil
  if refused then return {refused, was.cursor, was.version} end
  local broken = check_keys(session, key, turn)
  if broken then return broken end
  if not write_records(key, turn.version + 1, turn.records) then return {'STALE', was.cursor, was.version} end
  if was.stepped then forget_steps(key) end
  -- What was handled makes room for what the branch sends to itself.
  settle(session, key, turn, was.owner, was.pool)
  dispatch(session, turn)
  local answer = go_on(session, key, turn, was)
  tell(session, 'k', 'turn', 'branch', turn.branch, 'owner', was.owner, 'version', turn.version + 1,
    'cursor', turn.consumed, 'handled', turn.handled, 'sent', #turn.mails)
  write_counts(session)
  return answer
end, {'allow-oom'})
