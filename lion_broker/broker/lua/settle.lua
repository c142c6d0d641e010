-- settle: what was used of a shared budget beyond a reservation, or (negative) was not used of it.
--
-- KEYS 1: budget key
-- ARGV requests, tokens, limit_requests, limit_tokens, interval_ms; a limit of -1 is none
-- -> OK

register('settle', function(keys, args)
  local limit_requests, limit_tokens = tonumber(args[3]), tonumber(args[4])
  local budget = budget_at(keys[1], limit_requests, limit_tokens, tonumber(args[5]))
  if budget.requests then budget.requests = math.min(limit_requests, budget.requests - tonumber(args[1])) end
  if budget.tokens then budget.tokens = math.min(limit_tokens, budget.tokens - tonumber(args[2])) end
  write_budget(keys[1], budget, {args[3], args[4], args[5]}, '')
  return 'OK'
end, {'allow-oom'})
