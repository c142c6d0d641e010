-- create_branch: a branch whose log begins with the given records.
--
-- KEYS 1: session key
-- ARGV branch, name, pool, behaviour, token, owner, lease_ms, copies, n, n × (field, value), n, n × (count, records)
-- -> OK | DUPLICATE | UNKNOWN

register('create_branch', function(keys, args)
  local text, number, list = reader(args)
  local id, name, pool, behaviour = text(), text(), text(), text()
  local token, owner, lease_ms, copies = text(), text(), number(), text()
  local fields = list(function() return {text(), text()} end)
  local records = records_at(args, 10 + 2 * #fields)
  local session = open_session(keys[1])
  local key = branch_key(keys[1], id)
  if not session then return 'UNKNOWN' end
  if redis.call('EXISTS', key) == 1 then return 'DUPLICATE' end
  if copies ~= '' and redis.call('EXISTS', branch_key(keys[1], copies)) == 0 then return 'UNKNOWN' end
  local broken = check_kinds({[keys[1] .. ':branches'] = 'zset', [session.root .. 'pools'] = 'hash',
    [session.root .. 'paused'] = 'hash'})
  if broken then return broken end
  if not is_stream(key .. ':log') then return redis.error_reply('The log of ' .. id .. ' is no stream.') end
  local place = redis.call('HINCRBY', keys[1], 'places', 1)
  redis.call('ZADD', keys[1] .. ':branches', place, id)
  redis.call('HSET', key, 'id', id, 'session', session.id, 'name', name, 'pool', pool, 'behaviour', behaviour,
    'state', 'open', 'cursor', '0-0', 'version', records.n > 0 and 1 or 0)
  for _, pair in ipairs(fields) do redis.call('HSET', key, 'x:' .. pair[1], pair[2]) end
  if pool ~= '' then redis.call('HSETNX', session.root .. 'pools', pool, '') end
  if pool == '' and token ~= '' then
    redis.call('HSET', key, 'token', token, 'owner', owner, 'lease', now_ms() + lease_ms)
  end
  if copies ~= '' then
    redis.call('HINCRBY', branch_key(keys[1], copies), 'copies', 1)
    redis.call('HSET', key, 'copy_of', copies)
  end
  write_records(key, 1, records, stamp_of(session.now_text, '', owner))
  -- A stream begins with room for 4 KiB, which most of many branches never fill; a copy has what it needs.
  if records.n > 0 and redis.call('COPY', key .. ':log', key .. ':copied') == 1 then
    redis.call('RENAME', key .. ':copied', key .. ':log')
  end
  tell(session, 'k', 'created', 'branch', id, 'name', name, 'pool', pool)
  local reason = pool ~= '' and redis.call('HGET', session.root .. 'paused', 'r:' .. pool)
  if reason then
    redis.call('HSET', key, 'paused', reason)
    count_paused(session.root, pool, 1)
    tell(session, 'k', 'paused', 'branch', id, 'reason', reason)
  end
  return 'OK'
end)
