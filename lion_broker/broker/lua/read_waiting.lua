-- read_waiting: mail that waits at one station of a branch.
--
-- KEYS 1: session key
-- ARGV branch, where (outbox | transit | inbox | mailbox | lanes | delayed), lane, after, count
-- -> {(place, lane, due, attempts, recipient, mail, blob, straight), …}
--
-- A lane's mail is paged by lane and then by place; delayed mail, whose place is <due>-<number>, by place.

-- Straight is 0 for a delayed mail that goes on into the inbox, else 1.
local function row(place, lane, due, attempts, recipient, mail)
  return {place, lane, due, attempts, recipient, mail.m or '', mail.x or '', mail.straight or 1}
end

-- A page is of one lane: the first from `lane` on that has mail after the place.
local function of_lanes(key, branch, lane, from, limit)
  local names = lanes_of(key)
  table.sort(names)
  for _, name in ipairs(names) do
    local start = name == lane and from or '0-0'
    local entries = name >= lane and next_entries(lane_key(key, name), start, limit) or {}
    if #entries > 0 then
      local found, due = {}, tonumber(redis.call('ZSCORE', key .. ':lanes', name))
      for i, entry in ipairs(entries) do
        local attempts = i == 1 and start == '0-0' and tries_of(key, name) or 0
        found[i] = row(entry[1], name, due, attempts, branch, fields_of(entry))
      end
      return found
    end
  end
  return {}
end

local function of_delayed(key, branch, from, limit)
  local found = {}
  local from_due, from_number = string.match(from, '^(%d+)-(%d+)$')
  local same = redis.call('ZCOUNT', key .. ':delayed', from_due, from_due)
  local packed = redis.call('ZRANGEBYSCORE', key .. ':delayed', from_due, '+inf', 'WITHSCORES', 'LIMIT', 0, limit + same)
  for i = 1, #packed, 2 do
    local due, number = tonumber(packed[i + 1]), tonumber(string.sub(packed[i], 1, 15))
    if #found < limit and (due > tonumber(from_due) or number > tonumber(from_number)) then
      local fields = cmsgpack.unpack(string.sub(packed[i], 16))
      local mail = {m = fields[1], x = fields[3], straight = fields[2]}
      found[#found + 1] = row(string.format('%.0f-%.0f', due, number), '', due, 0, branch, mail)
    end
  end
  return found
end

local function of_station(key, branch, station, from, limit)
  local found = {}
  for _, entry in ipairs(next_entries(key .. ':' .. station, from, limit)) do
    local mail = fields_of(entry)
    found[#found + 1] = row(entry[1], '', tonumber(mail.d) or 0, 0, mail.r or branch, mail)
  end
  return found
end

register('read_waiting', function(keys, args)
  local branch, where, lane, from, limit = args[1], args[2], args[3], args[4], tonumber(args[5])
  local key = branch_key(keys[1], branch)
  if where == 'lanes' then return of_lanes(key, branch, lane, from, limit) end
  if where == 'delayed' then return of_delayed(key, branch, from, limit) end
  return of_station(key, branch, where, from, limit)
end, {'no-writes'})
