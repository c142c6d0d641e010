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
  local fields = mail_fields(mail)
  if mail.d then fields[#fields + 1], fields[#fields + 2] = 'd', mail.d end
  local added = redis.pcall('XADD', recipient.key .. ':transit', '*', 'r', mail.r, unpack(fields))
  if type(added) == 'table' then
    bury(session, recipient.id, mail, {reason = 'broken_mailbox', detail = added.err})
    return 0
  end
  redis.call('SADD', session.key .. ':transits', recipient.id)
  return 1
end

register('collect', function(keys, args)
  local text, number, list = reader(args)
  local left, named = number(), number()
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
  for _, branch in ipairs(branches) do
    local outbox = branch_key(keys[1], branch) .. ':outbox'
    if left > 0 then
      local ids = {}
      for i, entry in ipairs(entries_from(outbox, '-', left)) do
        ids[i] = entry[1]
        moved = moved + into_transit(session, fields_of(entry))
      end
      left = left - #ids
      delete_entries(outbox, ids)
    end
    if length_of(outbox) > 0 then
      more = true
    else
      redis.call('UNLINK', outbox)
      redis.call('SREM', index, branch)
    end
  end
  local dead = session.counts.dead or 0
  write_counts(session)
  return {moved, dead, more and 1 or 0}
end, {'allow-oom'})
