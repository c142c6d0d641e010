-- collect: outboxes -> transit, with manual delivery.
--
-- KEYS 1: session key
-- ARGV limit, n, n × branch; n = -1: every branch with mail in its outbox
-- -> {moved, dead, more} | {UNKNOWN}

-- How many branches of an index one call looks at; what is left shows in `more`.
local PICKED = 128

local function into_transit(session, mail)
  local recipient = look(session, mail.r or '')
  if recipient.refused then
    bury(session, recipient.id, mail, REFUSALS[recipient.refused])
    return 0
  end
  local added = add_waiting(recipient.key .. ':transit', mail.r, mail, mail.d)
  if type(added) == 'table' then
    bury(session, recipient.id, mail, {reason = 'broken_mailbox', detail = added.err})
    return 0
  end
  if not recipient.collected then redis.call('SADD', session.key .. ':transits', recipient.id) end
  recipient.collected = true
  return 1
end

register('collect', function(keys, args)
  local text, number, list = reader(args)
  local left, named = allowance(number()), number()
  local session = open_session(keys[1])
  if not session then return {'UNKNOWN'} end
  local index = keys[1] .. ':outboxes'
  local broken = check_kinds({[index] = 'set', [keys[1] .. ':transits'] = 'set', [keys[1] .. ':dead'] = ROOMY})
  if broken then return broken end
  local branches = {}
  if named < 0 then
    branches = redis.call('SRANDMEMBER', index, PICKED)
  else
    for i = 1, named do branches[i] = text() end
  end
  local moved, more = 0, named < 0 and redis.call('SCARD', index) > PICKED
  local function take(mail)
    moved = moved + into_transit(session, mail)
  end
  for _, branch in ipairs(branches) do
    local outbox = branch_key(keys[1], branch) .. ':outbox'
    local _, ended = move_front(outbox, left, take)
    if ended then
      redis.call('UNLINK', outbox)
      redis.call('SREM', index, branch)
    else
      more = true
      if used_up(left) then break end
    end
  end
  local dead = session.counts.dead or 0
  write_counts(session)
  return {moved, dead, more and 1 or 0}
end, {'allow-oom'})
