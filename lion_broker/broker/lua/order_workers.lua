-- order_workers: what workers are to do; each learns it with its next heartbeat.
--
-- KEYS 1: lion:{t}:workers
-- ARGV order, n, n × owner
-- -> OK | UNKNOWN, for each owner

register('order_workers', function(keys, args)
  local text, _, list = reader(args)
  local order, answers = text(), {}
  local broken = check_kinds({[keys[1]] = 'hash'})
  if broken then return broken end
  for place, owner in ipairs(list(text)) do
    local known = redis.call('HEXISTS', keys[1], 'report:' .. owner) == 1
    if known then redis.call('HSET', keys[1], 'order:' .. owner, order) end
    answers[place] = known and 'OK' or 'UNKNOWN'
  end
  return answers
end, {'allow-oom'})
