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
  if receive and recipient.straight == nil then
    -- Mail must not overtake what waits in the inbox already.
    recipient.straight = recipient.pool ~= '' and not refused
      and length_of(recipient.inbox) == 0
  end
  local straight = receive and recipient.straight
  if not refused and not fits(session, recipient, station_of(recipient, straight), mail, 2) then refused = 'FULL' end
  if refused then
    bury(session, recipient.id, mail, REFUSALS[refused])
    return 0
  end
  local id = deliver_when_due(session, recipient, straight, mail, mail.d and tonumber(mail.d))
  if not id then return 0 end
  -- Delayed mail has no entry yet, and nobody waits for it.
  if id ~= true then targets[recipient.id] = id end
  return 1
end

-- Everything that waits in one kind of stream: of branches that an index names, from the front.
local function from_front(session, targets, receive, kind, index, branches, left)
  local moved = 0
  local function take(mail)
    moved = moved + arrive(session, targets, receive, mail)
  end
  for _, branch in ipairs(branches) do
    if used_up(left) then break end
    local stream = branch_key(session.key, branch) .. kind
    local _, ended = move_front(stream, left, take)
    if ended then
      redis.call('UNLINK', stream)
      redis.call('SREM', index, branch)
    end
  end
  return moved
end

-- Only some recipients are wanted: look through the outboxes in order, a bounded number of pages a call.
local function pick_from_outboxes(session, targets, receive, wanted, left, resume)
  local senders = redis.call('SMEMBERS', session.key .. ':outboxes')
  table.sort(senders)
  local from_sender, from_entry = string.match(resume, '^(.*)/(.*)$')
  local moved, pages, frame = 0, 0, {}
  for _, sender in ipairs(senders) do
    if not from_sender or sender >= from_sender then
      local outbox = branch_key(session.key, sender) .. ':outbox'
      local start = sender == from_sender and '(' .. from_entry or '-'
      while start do
        if used_up(left) or pages >= PAGES then
          return moved, sender .. '/' .. (start == '-' and '0-0' or string.sub(start, 2))
        end
        pages = pages + 1
        local entries = entries_from(outbox, start, math.min(PAGE, left.mails))
        local ids = {}
        for _, entry in ipairs(entries) do
          if used_up(left) then break end
          local mail = waiting_mail(entry, frame)
          start = '(' .. entry[1]
          if wanted[mail.r] then
            ids[#ids + 1] = entry[1]
            use(left, mail)
            moved = moved + arrive(session, targets, receive, mail)
          end
        end
        delete_entries(outbox, ids)
        if #entries == 0 then start = nil end
      end
      if length_of(outbox) == 0 then
        redis.call('UNLINK', outbox)
        redis.call('SREM', session.key .. ':outboxes', sender)
      end
    end
  end
  return moved, ''
end

register('send', function(keys, args)
  local text, number, list = reader(args)
  local left, receive, resume, nonce, named = allowance(number()), text() == '1', text(), text(), number()
  local session = open_session(keys[1])
  if not session then return {'UNKNOWN'} end
  local before = recall(session, nonce)
  if before then return before end
  local transits, outboxes = keys[1] .. ':transits', keys[1] .. ':outboxes'
  local broken = check_kinds({
    [outboxes] = 'set', [transits] = 'set', [keys[1] .. ':inboxes'] = 'set',
    [keys[1] .. ':dead'] = ROOMY, [session.root .. 'due'] = 'zset',
  })
  if broken then return broken end
  local targets, moved, picked = {}, 0, 0
  local more = false
  if named < 0 then
    local waiting = redis.call('SRANDMEMBER', transits, PICKED)
    moved = from_front(session, targets, receive, ':transit', transits, waiting, left)
    -- Collected mail is older than what is still in an outbox, so it goes first, all of it.
    if not used_up(left) and redis.call('SCARD', transits) == 0 then
      local senders = redis.call('SRANDMEMBER', outboxes, PICKED)
      picked = from_front(session, targets, receive, ':outbox', outboxes, senders, left)
    end
    more = redis.call('SCARD', transits) + redis.call('SCARD', outboxes) > 0
    resume = ''
  else
    local wanted, recipients = {}, {}
    for i = 1, named do
      recipients[i] = text()
      wanted[recipients[i]] = true
    end
    moved = from_front(session, targets, receive, ':transit', transits, recipients, left)
    if not used_up(left) then
      picked, resume = pick_from_outboxes(session, targets, receive, wanted, left, resume)
    end
    more = used_up(left) or resume ~= ''
  end
  local answer = {moved + picked, session.counts.dead or 0, more and 1 or 0, resume}
  write_counts(session)
  for branch, id in pairs(targets) do
    answer[#answer + 1] = branch
    answer[#answer + 1] = id
  end
  -- An answer that names nobody is the same when it comes again.
  if #answer > 4 then remember(session, nonce, answer) end
  return answer
end, {'allow-oom'})
