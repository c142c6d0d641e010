-- Budgets of requests and tokens, which fill with time: what is left of each, what its limits are, and who waits for it.
--
--   limits   lion:{t}:limits          zset with expiry: names of budgets by the ms at which they were used last
--   budget   lion:{t}:limit:<name>    hash with expiry: requests tokens at limits title
--                                     wait:<who> <ms at which that one asks again> <calls>

-- So long a budget is remembered that nobody uses, for whoever wants to know what limits there are.
local BUDGET_KEPT_MS = 86400000
local BUDGETS_KEPT = 1000
local WAITERS_KEPT = 200
-- Who asks again so much later than it was told to has gone.
local LATE_MS = 5000

-- A budget as it stands now: requests and tokens that are left, each false where there is no limit.
local function budget_at(key, limit_requests, limit_tokens, interval_ms)
  local values = redis.call('HMGET', key, 'requests', 'tokens', 'at')
  local now = now_ms()
  local passed = math.max(0, now - (tonumber(values[3]) or now))
  local function level(stored, limit)
    if limit < 0 then return false end
    return math.min(limit, (tonumber(stored) or limit) + passed * limit / interval_ms)
  end
  return {requests = level(values[1], limit_requests), tokens = level(values[2], limit_tokens), at = now}
end

local function list_budget(key, now)
  local limits, name = string.match(key, '^(lion:{[^}]*}:limit):(.*)$')
  limits = limits .. 's'
  -- Calls go on where only the list of limits is broken.
  if not is_kind(limits, 'zset') then return end
  redis.call('ZADD', limits, now, name)
  redis.call('PEXPIRE', limits, BUDGET_KEPT_MS)
  local surplus = redis.call('ZCARD', limits) - BUDGETS_KEPT
  if surplus > 0 then
    for _, oldest in ipairs(redis.call('ZRANGE', limits, 0, surplus - 1)) do redis.call('ZREM', limits, oldest) end
  end
end

-- `limits` are the three arguments as they came: numbers that Lua writes lose digits.
local function write_budget(key, budget, limits, title)
  redis.call('HSET', key, 'requests', tostring(budget.requests or 0), 'tokens', tostring(budget.tokens or 0),
    'at', budget.at, 'limits', table.concat(limits, ' '))
  if title ~= '' then redis.call('HSET', key, 'title', title) end
  -- A budget that nobody has used for ten intervals is full again, unless it was overdrawn by more than that.
  redis.call('PEXPIRE', key, math.max(tonumber(limits[3]) * 10, BUDGET_KEPT_MS))
  list_budget(key, budget.at)
end

-- Who waits for a budget, with how many calls and for how long yet; and the fields of those who did and have gone.
local function waiters_of(key, now)
  local waiting, gone = {}, {}
  local values = redis.call('HGETALL', key)
  for i = 1, #values, 2 do
    local who = string.match(values[i], '^wait:(.*)$')
    local due, calls = string.match(values[i + 1], '^(%d+) (%d+)$')
    if who and due and tonumber(due) + LATE_MS >= now then
      waiting[#waiting + 1] = {who, tonumber(calls), math.max(0, tonumber(due) - now)}
    elseif who then
      gone[#gone + 1] = values[i]
    end
  end
  return waiting, gone
end

local function note_waiter(key, who, calls, now, wait)
  if who == '' then return end
  local field = 'wait:' .. who
  if redis.call('HEXISTS', key, field) == 0 then
    local waiting, gone = waiters_of(key, now)
    for _, name in ipairs(gone) do redis.call('HDEL', key, name) end
    if #waiting >= WAITERS_KEPT then return end
  end
  redis.call('HSET', key, field, string.format('%.0f', now + wait) .. ' ' .. calls)
end
