-- receive: inboxes -> mailboxes of branches with a pool, which become ready.
--
-- KEYS 1: session key
-- ARGV limit, nonce, n, n × branch; n = -1: every branch with a pool whose inbox holds mail
-- -> {moved, 0, more, '', branch, newest entry, branch, newest entry …} | {UNKNOWN}

local PICKED = 128

-- How many mails went into a mailbox, the newest entry there, and whether the inbox holds more.
local function into_mailbox(session, recipient, left)
  local newest
  local moved, ended = move_front(recipient.inbox, left, function(mail)
    local added, refused = add_to_station(recipient, 'mailbox', mail)
    if refused then
      bury(session, recipient.id, mail, {reason = 'broken_mailbox', detail = refused})
    else
      newest = added
      count(session, 'inflight', 1)
    end
  end)
  if ended and moved > 0 then redis.call('UNLINK', recipient.inbox) end
  if newest then mark(session, recipient) end
  return moved, newest, not ended
end

register('receive', function(keys, args)
  local text, number, list = reader(args)
  local left, nonce, named = allowance(number()), text(), number()
  local session = open_session(keys[1])
  if not session then return {'UNKNOWN'} end
  local before = recall(session, nonce)
  if before then return before end
  local index = keys[1] .. ':inboxes'
  local broken = check_kinds({[index] = 'set', [keys[1] .. ':dead'] = ROOMY})
  if broken then return broken end
  local branches = {}
  if named < 0 then
    branches = redis.call('SRANDMEMBER', index, PICKED)
  else
    for i = 1, named do branches[i] = text() end
  end
  local answer = {0, 0, 0, ''}
  local more = named < 0 and redis.call('SCARD', index) > PICKED
  for _, branch in ipairs(branches) do
    local recipient = look(session, branch)
    local holds_more = false
    if not recipient.refused and recipient.pool ~= '' and is_stream(recipient.mailbox) then
      local moved, newest
      moved, newest, holds_more = into_mailbox(session, recipient, left)
      answer[1] = answer[1] + moved
      if newest then
        answer[#answer + 1] = branch
        answer[#answer + 1] = newest
      end
    end
    if holds_more then
      more = true
      if used_up(left) then break end
    else
      redis.call('SREM', index, branch)
    end
  end
  answer[3] = more and 1 or 0
  write_counts(session)
  -- An answer that names nobody is the same when it comes again.
  if #answer > 4 then remember(session, nonce, answer) end
  return answer
end, {'allow-oom'})
