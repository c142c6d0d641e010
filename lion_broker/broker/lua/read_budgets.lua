-- read_budgets: the budgets that were used in the last day, those used last first, as they stand now.
--
-- KEYS 1: lion:{t}:limits
-- ARGV count
-- -> {(name, title, limit_requests, limit_tokens, interval_ms, requests, tokens, ms since it was used,
--      {(who, calls, ms until it asks again), …}), …}; a limit of -1 is none

local function budget_row(key, name)
  local kept = redis.pcall('HMGET', key, 'limits', 'title', 'at')
  if kept.err or not kept[1] then return nil end
  local limit_requests, limit_tokens, interval_ms = string.match(kept[1], '^(-?%d+) (-?%d+) (%d+)$')
  if not interval_ms or tonumber(interval_ms) < 1 then return nil end
  local budget = budget_at(key, tonumber(limit_requests), tonumber(limit_tokens), tonumber(interval_ms))
  local idle_ms = math.max(0, budget.at - (tonumber(kept[3]) or budget.at))
  return {
    name, kept[2] or '', limit_requests, limit_tokens, interval_ms, tostring(budget.requests or 0),
    tostring(budget.tokens or 0), idle_ms, (waiters_of(key, budget.at)),
  }
end

register('read_budgets', function(keys, args)
  local found, since = {}, now_ms() - BUDGET_KEPT_MS
  local names = redis.pcall('ZREVRANGEBYSCORE', keys[1], '+inf', since, 'LIMIT', 0, args[1])
  for _, name in ipairs(names.err and {} or names) do
    found[#found + 1] = budget_row(root_of(keys[1]) .. 'limit:' .. name, name)
  end
  return found
end, {'no-writes'})
