-- read_branches: where branches stand, with the server's own view of their leases.
--
-- KEYS 1: session key
-- ARGV start, count, n, n × branch; n = -1: by place
-- -> {now, (hash, waiting, inbox, outbox, delayed), …}

-- A reader that has been silent for so long is at work no more.
local READ_MS = 10000

-- Whose a branch is that was handed out with its mark is known by the group alone, until its reader has been heard of.
local function add_reader(session_key, hash, now)
  local stands = {}
  for i = 1, #hash, 2 do stands[hash[i]] = hash[i + 1] end
  if stands.owner or not stands.q or stands.token ~= stands.q then return end
  local reader, idle = reader_of(root_of(session_key) .. 'ready:' .. (stands.pool or ''), stands.q)
  if not reader or is_ahead(reader) then return end
  hash[#hash + 1], hash[#hash + 2] = 'owner', reader
  if stands.lease then return end
  hash[#hash + 1], hash[#hash + 2] = 'lease', string.format('%.0f', now + READ_MS - idle)
end

local function describe(session_key, branch, now)
  local key = branch_key(session_key, branch)
  local hash = redis.call('HGETALL', key)
  if #hash == 0 then return nil end
  add_reader(session_key, hash, now)
  return {hash, redis.call('XLEN', key .. ':mailbox'), redis.call('XLEN', key .. ':inbox'),
    redis.call('XLEN', key .. ':outbox'), redis.call('ZCARD', key .. ':delayed')}
end

register('read_branches', function(keys, args)
  local text, number, list = reader(args)
  local start, size, named = number(), number(), number()
  local ids = {}
  if named < 0 then
    -- By rank: a LIMIT would walk over all branches before the first one. Removed ones stand in front.
    local first = redis.call('ZCOUNT', keys[1] .. ':branches', '-inf', '(0') + start
    ids = redis.call('ZRANGE', keys[1] .. ':branches', first, first + size - 1)
  else
    for i = 1, named do ids[i] = text() end
  end
  local now = now_ms()
  local found = {now}
  for _, id in ipairs(ids) do found[#found + 1] = describe(keys[1], id, now) end
  return found
end, {'no-writes'})
