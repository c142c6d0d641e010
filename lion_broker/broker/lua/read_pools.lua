-- read_pools: what waits for workers, in each pool of a partition in which anything does, for which any are wanted, or
-- of which anything is paused.
--
-- KEYS 1: lion:{t}:pools
-- ARGV count
-- -> {(pool, ready, claimed, ms that the oldest has waited, wanted or an empty text,
--     paused, why all are or an empty text), …}

-- Entries are deleted when they are acknowledged, so those of a stream that nobody holds wait.
local function waiting_in(key, now)
  local groups = redis.pcall('XINFO', 'GROUPS', key)
  local claimed, last = 0, '0-0'
  for _, group in ipairs(groups.err and {} or groups) do
    local told = {}
    for i = 1, #group, 2 do told[group[i]] = group[i + 1] end
    if told.name == GROUP then claimed, last = told.pending, told['last-delivered-id'] end
  end
  local ready = math.max(0, length_of(key) - claimed)
  local oldest = ready > 0 and entries_from(key, '(' .. last, 1)[1]
  local since = oldest and tonumber(string.match(oldest[1], '^(%d+)-'))
  return ready, claimed, since and math.max(0, now - since) or 0
end

local function waiting(ready_key, now)
  local ready, claimed, oldest = waiting_in(ready_key, now)
  local more_ready, more_claimed, older = waiting_in(overflow_of(ready_key), now)
  return ready + more_ready, claimed + more_claimed, math.max(oldest, older)
end

-- How many branches are paused and why all are, pool by pool; `known` gets the pools of which nothing else is known.
local function paused_in(root, known)
  local counts, reasons = {}, {}
  local found = redis.pcall('HGETALL', root .. 'paused')
  for i = 1, found.err and 0 or #found, 2 do
    local pool = string.sub(found[i], 3)
    if string.sub(found[i], 1, 2) == 'n:' then counts[pool] = tonumber(found[i + 1]) else reasons[pool] = found[i + 1] end
    if known[pool] == nil then known[pool] = '' end
  end
  return counts, reasons
end

register('read_pools', function(keys, args)
  local found, root, now, most = {}, root_of(keys[1]), now_ms(), tonumber(args[1])
  local pools = redis.pcall('HGETALL', keys[1])
  if pools.err then return found end
  local known = {}
  for i = 1, #pools, 2 do known[pools[i]] = pools[i + 1] end
  local counts, reasons = paused_in(root, known)
  for pool, wanted in pairs(known) do
    local ready, claimed, oldest = waiting(root .. 'ready:' .. pool, now)
    local paused, reason = counts[pool] or 0, reasons[pool] or ''
    -- Pools that nobody uses any more would bury the others.
    if #found < most and (ready > 0 or claimed > 0 or wanted ~= '' or paused > 0 or reason ~= '') then
      found[#found + 1] = {pool, ready, claimed, oldest, wanted, paused, reason}
    end
  end
  return found
end, {'no-writes'})
