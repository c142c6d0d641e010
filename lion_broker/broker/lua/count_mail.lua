-- count_mail: the counters of sessions, in order of creation.
--
-- KEYS 1: lion:{t}:sessions
-- ARGV start, count
-- -> {(session, branches, posted, applied, redelivered, dead, inflight, delayed), …}

register('count_mail', function(keys, args)
  local found, start = {}, tonumber(args[1])
  local sessions = redis.pcall('ZRANGE', keys[1], start, start + tonumber(args[2]) - 1)
  if sessions.err then return found end
  for _, id in ipairs(sessions) do
    local key = root_of(keys[1]) .. 's:' .. id
    local counts = redis.pcall('HMGET', key, 'posted', 'applied', 'redelivered', 'dead', 'inflight', 'delayed')
    local branches = redis.pcall('ZCOUNT', key .. ':branches', '(0', '+inf')
    local row = {id, type(branches) == 'number' and branches or 0}
    for place = 1, 6 do row[#row + 1] = not counts.err and counts[place] or 0 end
    found[#found + 1] = row
  end
  return found
end, {'no-writes'})
