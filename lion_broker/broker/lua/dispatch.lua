-- dispatch: what the owner of a branch has done by itself, and the mail that it sends; all or nothing.
--
-- KEYS 1: session key
-- ARGV branch, token, version, lease_ms, nonce, follows (0|1),
--      n, n × (count, records)                              records
--      n, n × (recipient, direct, mail, blob, delay_ms)    outgoing mail
-- -> {OK | ALREADY | STALE | FENCED | UNKNOWN, version} or {FULL, version, branch}
--
-- Many of a row come at once and have one nonce: as long as it is that of the branch, whatever was to make a version up
-- to that of the branch has made it. One that follows another of its row builds on no other: the one before it may have
-- been refused, and something else have made the version.

-- Decides without writing: the word that refuses it, or nil.
local function refusal(was, token, version, nonce, follows)
  if was.token ~= token then return 'FENCED' end
  if was.version > version and was.nonce == nonce then return 'ALREADY' end
  return (was.version ~= version or (follows and was.nonce ~= nonce)) and 'STALE' or nil
end

register('dispatch', function(keys, args)
  local branch, version, lease_ms, nonce = args[1], tonumber(args[3]), tonumber(args[4]), args[5]
  local key = branch_key(keys[1], branch)
  local session = open_session(keys[1])
  if not session then return {'UNKNOWN', 0} end
  local values = redis.call('HMGET', key, 'token', 'version', 'nonce', 'owner', 'cursor')
  local was = {token = values[1], version = tonumber(values[2]) or 0, nonce = values[3]}
  local refused = refusal(was, args[2], version, nonce, args[6] == '1')
  if refused then return {refused, was.version} end
  local owner = values[4]
  if not owner then
    local mark_of = redis.call('HMGET', key, 'pool', 'q')
    owner = owner_of(session.root, mark_of[1] or '', mark_of[2], values[1])
  end
  local records, at = records_at(args, 7)
  local turn = {branch = branch, strict = true, mails = list_at(args, at, 5, mail_at), waits = false}
  local wrong, full = address(session, turn)
  local broken = wrong or check_outgoing(session, key, turn)
  if broken then return broken end
  if full then
    forget_blobs(session, turn.mails)
    return {'FULL', was.version, full}
  end
  local stamp = stamp_of(session.now_text, '', owner)
  if not write_records(key, version + 1, records, stamp) then return {'STALE', was.version} end
  redis.call('HSET', key, 'version', version + 1, 'nonce', nonce, 'lease', session.now + lease_ms)
  send_out(session, turn)
  tell_turn(session, branch, version + 1, values[5] or '0-0', owner, {handled = 0, sent = #turn.mails, deferred = 0})
  write_counts(session)
  return {'OK', version + 1}
end, {'allow-oom'})
