-- delete_session: removes a session with everything it owns, some branches a call.
--
-- KEYS 1: session key
-- ARGV limit
-- -> 1 when more is left, else 0

local STATIONS = {
  ':mailbox', ':inbox', ':outbox', ':transit', ':log', ':steps', ':lanes', ':tries', ':delayed', ':cancelled',
}

local function remove_branch(root, key, name)
  local values = redis.pcall('HMGET', key, 'q', 'pool', 'paused')
  if values[1] then drop_ready(root .. 'ready:' .. values[2], values[1]) end
  if values[3] and values[2] then count_paused(root, values[2], -1) end
  if redis.call('TYPE', key .. ':lanes')['ok'] == 'zset' then
    for _, lane in ipairs(lanes_of(key)) do redis.call('UNLINK', lane_key(key, lane)) end
  end
  redis.pcall('ZREM', root .. 'due', name)
  for _, station in ipairs(STATIONS) do redis.call('UNLINK', key .. station) end
  redis.call('UNLINK', key)
end

register('delete_session', function(keys, args)
  local key, root = keys[1], root_of(keys[1])
  local id = redis.call('HGET', key, 'id')
  if not id then return 0 end
  local broken = check_kinds({[root .. 'sessions'] = 'zset', [key .. ':branches'] = 'zset'})
  if broken then return broken end
  local branches = redis.call('ZRANGE', key .. ':branches', 0, tonumber(args[1]) - 1)
  for _, branch in ipairs(branches) do
    remove_branch(root, branch_key(key, branch), id .. '/' .. branch)
    redis.call('ZREM', key .. ':branches', branch)
  end
  if redis.call('ZCARD', key .. ':branches') > 0 then return 1 end
  remove_branch(root, branch_key(key, id), id .. '/' .. id)
  if redis.call('TYPE', key .. ':blobs')['ok'] == 'hash' then
    for _, digest in ipairs(redis.call('HKEYS', key .. ':blobs')) do redis.call('UNLINK', key .. ':blob:' .. digest) end
  end
  redis.call('UNLINK', key .. ':blobs', key .. ':moved', key, key .. ':branches', key .. ':events', key .. ':dead', key .. ':producers',
    key .. ':producers:before', key .. ':outboxes', key .. ':transits', key .. ':inboxes')
  redis.call('ZREM', root .. 'sessions', id)
  return 0
end, {'allow-oom'})
