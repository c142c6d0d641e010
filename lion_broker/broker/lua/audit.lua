-- audit: what a person has done, for others to see.
--
-- KEYS 1: audit key
-- ARGV kept, who, what, target, detail, nonce
-- -> id of the entry

-- Who lost an answer asks again at once, so few entries can lie in between.
local LOOKED_AT = 100

register('audit', function(keys, args)
  local broken = check_kinds({[keys[1]] = ROOMY})
  if broken then return broken end
  for _, entry in ipairs(redis.call('XREVRANGE', keys[1], '+', '-', 'COUNT', LOOKED_AT)) do
    if fields_of(entry).nonce == args[6] then return entry[1] end
  end
  return redis.call('XADD', keys[1], 'MAXLEN', '~', args[1], '*', 'who', args[2], 'what', args[3], 'target', args[4],
    'detail', args[5], 'nonce', args[6])
end)
