-- What a branch has done, as commit and dispatch are given it: records, and the mail that it sends. Shared by the verbs.
--
-- ARGV n, n × (count, records)                         records
--      n, n × (recipient, direct, mail, blob, delay_ms)  outgoing mail

-- The rows of a list, whose length is the argument at a place, and the place behind them.
local function list_at(args, at, width, row_at)
  local rows = {}
  for i = 1, number_of(args[at]) do rows[i] = row_at(args, at + 1 + (i - 1) * width) end
  return rows, at + 1 + #rows * width
end

-- Records stay where they are: they are written as they came, several in one value, with how many these are.
local function records_at(args, at)
  local n = number_of(args[at])
  return {args = args, first = at + 1, n = n}, at + 1 + n * 2
end

local function mail_at(args, at)
  return {
    recipient = args[at], direct = args[at + 1] == '1', m = args[at + 2], x = args[at + 3], delay = number_of(args[at + 4]),
  }
end

-- Decides where each outgoing mail goes, before anything is written; what is broken, or which branch is full. Notes in
-- `turn` whether any of it waits for a round.
local function address(session, turn)
  for _, mail in ipairs(turn.mails) do
    local lost = check_blob(session, mail)
    if lost then return lost end
    local recipient = look(session, mail.recipient)
    mail.straight = session.auto or mail.direct
    mail.refused = recipient.refused
    turn.waits = turn.waits or not (mail.straight or mail.refused)
    if mail.straight and not mail.refused then
      local broken = check_station(session, recipient, true, mail.delay > 0)
      if broken then return broken end
      -- Twice the limit: no branch waits for room at another one, and so none in a circle. But who can wait is told.
      if not fits(session, recipient, station_of(recipient, true), mail, turn.strict and 1 or 2) then
        if turn.strict then return nil, recipient.id end
        mail.refused = 'FULL'
      end
    end
  end
  return nil
end

-- The keys that outgoing mail may be written to by plain calls, which must not fail half way.
local function check_outgoing(session, key, turn)
  local sound, broken = session.sound, nil
  if #turn.mails > 0 then broken = check_kind(sound, session.key .. ':dead', ROOMY) end
  if session.blobs > 0 then broken = broken or check_kind(sound, session.key .. ':blobs', 'hash') end
  if broken or not turn.waits then return broken end
  return check_kinds({[key .. ':outbox'] = ROOMY, [session.key .. ':outboxes'] = 'set'}, session)
end

local function send_out(session, turn)
  for _, mail in ipairs(turn.mails) do
    hold_blob(session, mail)
    if mail.refused then
      bury(session, mail.recipient, mail, REFUSALS[mail.refused])
    elseif mail.straight then
      local due = mail.delay > 0 and session.now + mail.delay
      deliver_when_due(session, look(session, mail.recipient), true, mail, due)
    else
      into_outbox(session, turn.branch, mail)
    end
  end
end
