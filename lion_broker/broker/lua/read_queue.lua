-- read_queue: mail that waits in one queue of a branch; nothing moves.
--
-- KEYS 1: session key
-- ARGV branch, queue, place after which reading begins or '', count
-- -> {{place, recipient, due ms, straight (0|1), field, value, …}, …}

-- About a mebibyte, and at least one mail.
local READ_BYTES = 1048576

local function row_of(place, entry)
  local row, due, size = {place, '', '', 1}, '', 0
  for i = 1, #entry[2], 2 do
    local name, value = entry[2][i], entry[2][i + 1]
    if name == 'r' then
      row[2] = value
    elseif name == 'd' then
      row[3] = value
    else
      row[#row + 1], row[#row + 2] = name, value
      size = size + #value + (name == 'x' and blob_size(value) or 0)
    end
  end
  return row, size
end

local function of_stream(key, past, limit, prefix)
  local found, size = {}, 0
  for _, entry in ipairs(entries_from(key, past == '' and '-' or '(' .. past, limit)) do
    local row, more = row_of(prefix .. entry[1], entry)
    size = size + more
    if size > READ_BYTES and #found > 0 then return found, true end
    found[#found + 1] = row
  end
  return found, false
end

-- Lane by lane, in the order of their senders' ids.
local function of_lanes(key, past, limit)
  local first, entry = string.match(past, '^(.*)/(%d+%-%d+)$')
  local lanes = is_kind(key .. ':lanes', 'zset') and lanes_of(key) or {}
  table.sort(lanes)
  for _, lane in ipairs(lanes) do
    if not first or lane >= first then
      local found = of_stream(lane_key(key, lane), lane == first and entry or '', limit, lane .. '/')
      if #found > 0 then return found end
    end
  end
  return {}
end

local function of_delayed(key, past, limit)
  local first = tonumber(past) or 0
  if not is_kind(key .. ':delayed', 'zset') then return {} end
  local found, size = {}, 0
  local packed = redis.call('ZRANGE', key .. ':delayed', first, first + limit - 1, 'WITHSCORES')
  for i = 1, #packed, 2 do
    local mail = cmsgpack.unpack(string.sub(packed[i], 16))
    local row = {tostring(first + (i + 1) / 2), '', packed[i + 1], mail[4], 'h', mail[1], 'b', mail[2], 's', mail[3]}
    if (mail[5] or '') ~= '' then row[#row + 1], row[#row + 2] = 'x', mail[5] end
    size = size + #mail[1] + #mail[2] + blob_size(mail[5])
    if size > READ_BYTES and #found > 0 then return found end
    found[#found + 1] = row
  end
  return found
end

register('read_queue', function(keys, args)
  local key, queue, past, limit = branch_key(keys[1], args[1]), args[2], args[3], tonumber(args[4])
  if queue == 'deferred' then return of_lanes(key, past, limit) end
  if queue == 'delayed' then return of_delayed(key, past, limit) end
  return (of_stream(key .. ':' .. queue, past, limit, ''))
end, {'no-writes'})
