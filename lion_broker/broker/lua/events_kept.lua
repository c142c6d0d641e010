-- events_kept: from where on the live tail of a session is kept.
--
-- KEYS 1: events key
-- ARGV none
-- ARGV none
-- -> {the oldest occurrence or '', how many before it have gone}

register('events_kept', function(keys)
  local info = redis.pcall('XINFO', 'STREAM', keys[1])
  if info.err then return {'', 0} end
  local length, added = 0, 0
  for i = 1, #info, 2 do
    if info[i] == 'length' then length = info[i + 1] end
    if info[i] == 'entries-added' then added = info[i + 1] end
  end
  local oldest = entries_from(keys[1], '-', 1)[1]
  return {oldest and oldest[1] or '', added - length}
end, {'no-writes'})
