-- reserve: requests and tokens out of a shared budget, both or neither.
--
-- KEYS 1: budget key
-- ARGV requests, tokens, limit_requests, limit_tokens, interval_ms; a limit of -1 is none
-- -> 0 when they were taken, else the milliseconds after which to ask again

register('reserve', function(keys, args)
  local requests, tokens, interval_ms = tonumber(args[1]), tonumber(args[2]), tonumber(args[5])
  local limit_requests, limit_tokens = tonumber(args[3]), tonumber(args[4])
  local budget = budget_at(keys[1], limit_requests, limit_tokens, interval_ms)
  local function wait_for(amount, level, limit)
    if not level or amount <= 0 or amount - level < 0.001 then return 0 end
    return math.ceil((amount - level) * interval_ms / limit)
  end
  local wait = math.max(wait_for(requests, budget.requests, limit_requests),
    wait_for(tokens, budget.tokens, limit_tokens))
  if wait > 0 then return wait end
  if budget.requests then budget.requests = budget.requests - requests end
  if budget.tokens then budget.tokens = budget.tokens - tokens end
  write_budget(keys[1], budget, interval_ms)
  return 0
end, {'allow-oom'})
