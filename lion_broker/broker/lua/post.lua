-- post: mails from outside a turn, all or none.
--
-- KEYS 1: session key
-- ARGV producer, seq, digest, n, n × (sender, recipient, direct, mail, blob, delay_ms)
-- -> {OK | DUPLICATE | CONFLICT | GAP} or {UNKNOWN | CLOSED | FULL, branch}
--
-- Where there are many producers, those go that have not posted for a while, all at once: the hash becomes the one
-- before, and the one before that is dropped. The time at which a hash began is in the field that no producer can have.

local PRODUCERS_KEPT = 1000
local PRODUCER_MS = 600000
local BEGUN = ''

local function seen_before(producers, producer, seq, digest)
  local last = redis.call('HGET', producers, producer) or redis.call('HGET', producers .. ':before', producer)
  if not last then return seq > 1 and 'GAP' or nil end
  local last_seq, last_digest = string.match(last, '^(%d+):(.*)$')
  last_seq = tonumber(last_seq)
  if seq == last_seq then return last_digest == digest and 'DUPLICATE' or 'CONFLICT' end
  if seq < last_seq then return 'DUPLICATE' end
  return seq > last_seq + 1 and 'GAP' or nil
end

local function note_post(session, producers, producer, seq, digest)
  local is_new = redis.call('HSET', producers, producer, string.format('%.0f', seq) .. ':' .. digest) == 1
  local many = is_new and redis.call('HLEN', producers) or 0
  if many == 1 then redis.call('HSET', producers, BEGUN, session.now) end
  if many <= PRODUCERS_KEPT then return end
  local begun = tonumber(redis.call('HGET', producers, BEGUN)) or 0
  if session.now - begun < PRODUCER_MS then return end
  redis.call('UNLINK', producers .. ':before')
  redis.call('RENAME', producers, producers .. ':before')
end

local function refusal(session, mail)
  local recipient = look(session, mail.recipient)
  if recipient.refused then return {recipient.refused, mail.recipient} end
  if session.auto or mail.direct then
    local station = station_of(recipient, true)
    if recipient.takes == nil then recipient.takes = is_stream(recipient[station]) end
    if not recipient.takes then return {'FULL', mail.recipient} end
    local broken = check_station(session, recipient, true, mail.delay > 0)
    if broken then return broken end
    if not fits(session, recipient, station, mail, 1) then return {'FULL', mail.recipient} end
    -- The session itself cannot be closed.
    if mail.sender == session.id then return nil end
    return look(session, mail.sender).refused == 'CLOSED' and {'CLOSED', mail.sender} or nil
  end
  local sender = look(session, mail.sender)
  if sender.refused then return {sender.refused, mail.sender} end
  if sender.sends == nil then sender.sends = is_stream(sender.key .. ':outbox') end
  if not sender.sends then return {'FULL', mail.sender} end
  return nil
end

-- The mails of a list, whose length is the argument at a place; by place, since there are many.
local function mails_at(args, at)
  local mails = {}
  for i = 1, number_of(args[at]) do
    mails[i] = {
      sender = args[at + 1], recipient = args[at + 2], direct = args[at + 3] == '1', m = args[at + 4], x = args[at + 5],
      delay = number_of(args[at + 6]),
    }
    at = at + 6
  end
  return mails
end

register('post', function(keys, args)
  local producer, seq, digest = args[1], tonumber(args[2]), args[3]
  local mails = mails_at(args, 4)
  local session = open_session(keys[1])
  if not session then return {'UNKNOWN', ''} end
  local producers = keys[1] .. ':producers'
  local known = seen_before(producers, producer, seq, digest)
  if known then
    forget_blobs(session, mails)
    return {known}
  end
  local broken = not session.auto and check_kinds({[session.key .. ':outboxes'] = 'set'})
  if broken then return broken end
  for _, mail in ipairs(mails) do
    local refused = refusal(session, mail) or check_blob(session, mail)
    if refused and not refused.err then forget_blobs(session, mails) end
    if refused then return refused end
  end
  note_post(session, producers, producer, seq, digest)
  for _, mail in ipairs(mails) do
    hold_blob(session, mail)
    if session.auto or mail.direct then
      local due = mail.delay > 0 and session.now + mail.delay
      deliver_when_due(session, look(session, mail.recipient), true, mail, due)
    else
      into_outbox(session, mail.sender, mail)
    end
  end
  write_counts(session)
  return {'OK'}
end)
