-- send: transit, and what is still in outboxes -> inboxes (or mailboxes), with manual delivery.
--
-- KEYS 1: session key
-- ARGV limit, receive (0|1), resume, nonce, n, n × recipient; n = -1: every recipient
-- -> {moved, dead, more, resume, branch, newest entry, branch, newest entry …} | {UNKNOWN}
--
-- resume is "<sender>/<entry>", how far the outboxes have been looked through for the recipients that are wanted.

local PICKED = 128
local PAGE = 200
local PAGES = 10

local function arrive(session, targets, receive, mail)
  local recipient = look(session, mail.r or '')
  local refused = recipient.refused
  -- Mail must not overtake what waits in the inbox already.
  local straight = receive and recipient.pool ~= '' and not refused
    and length_of(recipient.key .. ':inbox') == 0
  if not refused and not fits(session, recipient, station_of(recipient, straight), mail, 2) then refused = 'FULL' end
  if refused then
    bury(session, recipient.id, mail, REFUSALS[refused])
    return 0
  end
  local id = deliver_when_due(session, recipient, straight, mail, tonumber(mail.d))
  if not id then return 0 end
  -- Delayed mail has no entry yet, and nobody waits for it.
  if id ~= true then targets[recipient.id] = id end
  return 1
end

local function from_transit(session, targets, receive, branches, left)
  local moved = 0
  for _, branch in ipairs(branches) do
    local transit = branch_key(session.key, branch) .. ':transit'
    if left > 0 then
      local ids = {}
      for i, entry in ipairs(entries_from(transit, '-', left)) do
        ids[i] = entry[1]
        moved = moved + arrive(session, targets, receive, fields_of(entry))
      end
      left = left - #ids
      delete_entries(transit, ids)
    end
    if length_of(transit) == 0 then
      redis.call('UNLINK', transit)
      redis.call('SREM', session.key .. ':transits', branch)
    end
  end
  return moved, left
end

-- Everything in the outboxes is wanted: take from the front.
local function from_outboxes(session, targets, receive, left)
  local moved = 0
  for _, sender in ipairs(redis.call('SRANDMEMBER', session.key .. ':outboxes', PICKED)) do
    local outbox = branch_key(session.key, sender) .. ':outbox'
    if left > 0 then
      local ids = {}
      for i, entry in ipairs(entries_from(outbox, '-', left)) do
        ids[i] = entry[1]
        moved = moved + arrive(session, targets, receive, fields_of(entry))
      end
      left = left - #ids
      delete_entries(outbox, ids)
    end
    if length_of(outbox) == 0 then
      redis.call('UNLINK', outbox)
      redis.call('SREM', session.key .. ':outboxes', sender)
    end
  end
  return moved, left
end

-- Only some recipients are wanted: look through the outboxes in order, a bounded number of pages a call.
local function pick_from_outboxes(session, targets, receive, wanted, left, resume)
  local senders = redis.call('SMEMBERS', session.key .. ':outboxes')
  table.sort(senders)
  local from_sender, from_entry = string.match(resume, '^(.*)/(.*)$')
  local moved, pages = 0, 0
  for _, sender in ipairs(senders) do
    if not from_sender or sender >= from_sender then
      local outbox = branch_key(session.key, sender) .. ':outbox'
      local start = sender == from_sender and '(' .. from_entry or '-'
      while start do
        if left <= 0 or pages >= PAGES then
          return moved, left, sender .. '/' .. (start == '-' and '0-0' or string.sub(start, 2))
        end
        pages = pages + 1
        local entries = entries_from(outbox, start, math.min(PAGE, left))
        local ids = {}
        for _, entry in ipairs(entries) do
          local mail = fields_of(entry)
          start = '(' .. entry[1]
          if wanted[mail.r] then
            ids[#ids + 1] = entry[1]
            moved = moved + arrive(session, targets, receive, mail)
          end
        end
        left = left - #ids
        delete_entries(outbox, ids)
        if #entries == 0 then start = nil end
      end
      if length_of(outbox) == 0 then
        redis.call('UNLINK', outbox)
        redis.call('SREM', session.key .. ':outboxes', sender)
      end
    end
  end
  return moved, left, ''
end

register('send', function(keys, args)
  local text, number, list = reader(args)
  local left, receive, resume, nonce, named = number(), text() == '1', text(), text(), number()
  local session = open_session(keys[1])
  if not session then return {'UNKNOWN'} end
  local before = recall(session, nonce)
  if before then return before end
  local broken = check_kinds({
    [keys[1] .. ':outboxes'] = 'set', [keys[1] .. ':transits'] = 'set', [keys[1] .. ':inboxes'] = 'set',
    [keys[1] .. ':dead'] = ROOMY, [session.root .. 'due'] = 'zset',
  })
  if broken then return broken end
  local targets, moved, picked = {}, 0, 0
  local more = false
  if named < 0 then
    local waiting = redis.call('SRANDMEMBER', keys[1] .. ':transits', PICKED)
    moved, left = from_transit(session, targets, receive, waiting, left)
    -- Collected mail is older than what is still in an outbox, so it goes first, all of it.
    if left > 0 and redis.call('SCARD', keys[1] .. ':transits') == 0 then
      picked, left = from_outboxes(session, targets, receive, left)
    end
    more = redis.call('SCARD', keys[1] .. ':transits') + redis.call('SCARD', keys[1] .. ':outboxes') > 0
    resume = ''
  else
    local wanted, recipients = {}, {}
    for i = 1, named do
      recipients[i] = text()
      wanted[recipients[i]] = true
    end
    moved, left = from_transit(session, targets, receive, recipients, left)
    if left > 0 then
      picked, left, resume = pick_from_outboxes(session, targets, receive, wanted, left, resume)
    end
    more = left <= 0 or resume ~= ''
  end
  local answer = {moved + picked, session.counts.dead or 0, more and 1 or 0, resume}
  write_counts(session)
  for branch, id in pairs(targets) do
    answer[#answer + 1] = branch
    answer[#answer + 1] = id
  end
  remember(session, nonce, answer)
  return answer
end, {'allow-oom'})
