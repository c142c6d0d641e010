-- reserve: requests and tokens out of a shared budget, both or neither.
--
-- KEYS 1: budget key
-- ARGV requests, tokens, limit_requests, limit_tokens, interval_ms, title, who, calls; a limit of -1 is none
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
  if wait == 0 then
    if budget.requests then budget.requests = budget.requests - requests end
    if budget.tokens then budget.tokens = budget.tokens - tokens end
  end
  write_budget(keys[1], budget, {args[3], args[4], args[5]}, args[6])
  if wait > 0 then
    note_waiter(keys[1], args[7], args[8], budget.at, wait)
  elseif args[7] ~= '' then
    redis.call('HDEL', keys[1], 'wait:' .. args[7])
  end
  return wait
end, {'allow-oom'})
