-- restore: a part of an export, put back into a session that is being imported.
--
-- KEYS 1: session key
-- ARGV branch, part, done (0|1), n, n × (version, place, records, stamp),
--      where (outbox | transit | inbox | mailbox | lanes | delayed),
--      n, n × (recipient, due ms, straight (0|1), mail, blob),
--      n, n × (id, reason, error, detail, branch, attempts, owners, mail, blob)
-- -> OK | ALREADY | GAP | STALE | UNKNOWN | CLOSED
--
-- The field `restored` of the session is the number of the last part; the one that is done takes the field `importing` away.

local function read_mail(text, number)
  return {recipient = text(), due = number(), straight = text() == '1', m = text(), x = text()}
end

local function read_letter(text)
  return {
    id = text(), reason = text(), error = text(), detail = text(), branch = text(), attempts = text(), owners = text(),
    m = text(), x = text(),
  }
end

local function put_mail(session, home, where, mail)
  hold_blob(session, mail)
  local due = mail.due > 0 and mail.due
  if where == 'outbox' then
    mail.delay = due and math.max(1, due - session.now) or 0
    into_outbox(session, home.id, mail)
  elseif where == 'transit' then
    redis.call('SADD', session.key .. ':transits', home.id)
    add_waiting(home.key .. ':transit', home.id, mail, due)
  else
    local straight = where == 'mailbox' or where == 'lanes' or (where == 'delayed' and mail.straight)
    deliver_when_due(session, home, straight, mail, where == 'delayed' and due)
  end
end

local function put_letter(session, letter)
  hold_blob(session, letter)
  redis.call('XADD', session.key .. ':dead', letter.id, 'reason', letter.reason, 'error', letter.error, 'detail',
    letter.detail, 'branch', letter.branch, 'attempts', letter.attempts, 'owners', letter.owners, unpack(mail_fields(letter)))
  count(session, 'dead', 1)
end

-- Nothing was written where an id is not after the last one.
local function is_after_last(key, id)
  local last = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)[1]
  return not last or after(id, last[1])
end

local function refusal_of(session, home, rows, mails, letters)
  local broken = check_kinds({
    [home.key .. ':log'] = ROOMY, [session.key .. ':dead'] = ROOMY, [session.key .. ':transits'] = 'set',
    [session.key .. ':outboxes'] = 'set', [session.key .. ':inboxes'] = 'set', [session.root .. 'due'] = 'zset',
    [home.key .. ':delayed'] = 'zset', [home.key .. ':mailbox'] = ROOMY, [home.key .. ':inbox'] = ROOMY,
    [home.key .. ':outbox'] = ROOMY, [home.key .. ':transit'] = ROOMY,
  })
  if broken then return broken end
  if rows[1] and not is_after_last(home.key .. ':log', rows[1].id) then
    return redis.error_reply('The log of ' .. home.id .. ' is further than this part; nothing was changed.')
  end
  if letters[1] and not is_after_last(session.key .. ':dead', letters[1].id) then
    return redis.error_reply('The dead letters are further than this part; nothing was changed.')
  end
  for _, mail in ipairs(mails) do broken = broken or check_blob(session, mail) end
  for _, letter in ipairs(letters) do broken = broken or check_blob(session, letter) end
  return broken
end

register('restore', function(keys, args)
  local text, number, list = reader(args)
  local branch, part, done = text(), number(), text() == '1'
  local rows = list(function()
    local version, place = text(), text()
    return {version = version, id = version .. '-' .. place, records = text(), stamp = text()}
  end)
  local where = text()
  local mails = list(function() return read_mail(text, number) end)
  local letters = list(function() return read_letter(text) end)
  local session = open_session(keys[1])
  if not session then return 'UNKNOWN' end
  local stands = redis.call('HMGET', keys[1], 'f:importing', 'restored')
  local last = tonumber(stands[2]) or 0
  if part <= last then return 'ALREADY' end
  if not stands[1] then return 'STALE' end
  if part > last + 1 then return 'GAP' end
  local home = look(session, branch)
  if home.refused then return home.refused end
  local refused = refusal_of(session, home, rows, mails, letters)
  if refused then return refused end
  for _, row in ipairs(rows) do
    local fields = {'r', row.records}
    if row.stamp ~= '' then fields[3], fields[4] = 't', row.stamp end
    redis.call('XADD', home.key .. ':log', row.id, unpack(fields))
    redis.call('HSET', home.key, 'version', row.version)
  end
  for _, mail in ipairs(mails) do put_mail(session, home, where, mail) end
  for _, letter in ipairs(letters) do put_letter(session, letter) end
  redis.call('HSET', keys[1], 'restored', part)
  if done then redis.call('HDEL', keys[1], 'f:importing') end
  write_counts(session)
  return 'OK'
end)
