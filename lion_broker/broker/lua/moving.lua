-- What takes mail out of the streams in which it waits for a round. Shared by the verbs.
--
-- One call moves a bounded number of mails, and about a mebibyte, so that nobody waits long for the server.
local MOVED_BYTES = 1048576
-- Entries that are read at once: a page of the largest there are is still small.
local MOVED_PAGE = 64

local function allowance(mails)
  return {mails = mails, bytes = MOVED_BYTES}
end

local function used_up(left)
  return left.mails <= 0 or left.bytes <= 0
end

-- Counts a mail that was taken.
local function use(left, mail)
  left.mails, left.bytes = left.mails - 1, left.bytes - #(mail.m or '')
end

-- The mail of an entry by the names of its fields, until the next one is asked for: what verbs write is recognised by
-- its shape and put into `frame`, which has nothing else, for a table of its own costs as much as half an XADD.
local function waiting_mail(entry, frame)
  local v = entry[2]
  if #v == 4 and v[1] == 'r' and v[3] == 'm' then
    frame.r, frame.m = v[2], v[4]
    return frame
  end
  if is_plain(v) then
    frame.r, frame.m = nil, v[2]
    return frame
  end
  return fields_of(entry)
end

-- Gives `take` the mails at the front of a stream, one at a time, while something is left to move, and takes them away.
-- Returns how many there were, and whether the stream ends with them: then the caller removes it.
local function move_front(stream, left, take)
  local moved, start, ended, frame = 0, '-', false, {}
  local last
  while not ended and not used_up(left) do
    local asked = math.min(MOVED_PAGE, left.mails)
    local entries = entries_from(stream, start, asked)
    ended = #entries < asked
    for i = 1, #entries do
      if left.bytes <= 0 then
        ended = false
        break
      end
      local mail = waiting_mail(entries[i], frame)
      use(left, mail)
      take(mail)
      moved, last = moved + 1, entries[i][1]
    end
    if last then start = '(' .. last end
  end
  if ended then return moved, true end
  if last then
    redis.call('XTRIM', stream, 'MINID', last)
    redis.call('XDEL', stream, last)
  end
  return moved, length_of(stream) == 0
end
