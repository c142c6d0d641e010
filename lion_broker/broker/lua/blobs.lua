-- Bodies that are kept beside the streams: counted as long as an entry names them. Shared by the verbs.
--
--   blob    <session key>:blob:<sha256>   string: a body; with expiry until a mail that names it is accepted
--   blobs   <session key>:blobs           hash: entries that name each blob, by <sha256>
--
-- In an entry x is <sha256>:<bytes>; in the session's hash `blobs` is how many there are.

-- MAX_BODY_BYTES of lion_broker/mail/wire.py.
local LARGEST_BLOB = 8 * 1024 * 1024

-- The fields of an entry that is a mail.
local function mail_fields(mail)
  local fields = {'m', mail.m or ''}
  if mail.x and mail.x ~= '' then fields[3], fields[4] = 'x', mail.x end
  return fields
end

local function digest_of(mail)
  return mail.x and mail.x ~= '' and string.match(mail.x, '^(%x+):%d+$')
end

-- What no verb has written counts nothing: a number that is none would break off a call that has begun to write.
local function blob_size(x)
  if x == '' then return 0 end
  local bytes = x and tonumber(string.match(x, ':(%d+)$')) or 0
  return bytes <= LARGEST_BLOB and bytes or 0
end

local function size_of(mail)
  return #(mail.m or '') + blob_size(mail.x)
end

-- An error reply when a mail names a blob that is not there, or nil. NOBLOB: it may have gone with the last other mail
-- that named it after it was put, and is to be put again.
local function check_blob(session, mail)
  local digest = digest_of(mail)
  if not digest then return nil end
  local kind = redis.call('TYPE', session.key .. ':blob:' .. digest)['ok']
  local counted = redis.call('TYPE', session.key .. ':blobs')['ok']
  if kind == 'none' then return redis.error_reply('NOBLOB The blob ' .. digest .. ' is not there; nothing was changed.') end
  if kind == 'string' and (counted == 'hash' or counted == 'none') then return nil end
  return redis.error_reply('The blob ' .. digest .. ' is no string, or nothing counts it; nothing was changed.')
end

-- One more entry names a blob: from now on it stays.
local function hold_blob(session, mail)
  local digest = digest_of(mail)
  if not digest then return end
  redis.call('PERSIST', session.key .. ':blob:' .. digest)
  if redis.call('HINCRBY', session.key .. ':blobs', digest, 1) == 1 then count(session, 'blobs', 1) end
end

-- Mails that are not accepted leave no blobs behind that no entry names: who is told to wait and asks again and again
-- would fill the server with them. Somebody who has put the same for a mail that comes yet is told NOBLOB.
local function forget_blobs(session, mails)
  if not is_kind(session.key .. ':blobs', 'hash') then return end
  for _, mail in ipairs(mails) do
    local digest = digest_of(mail)
    if digest and redis.call('HEXISTS', session.key .. ':blobs', digest) == 0 then
      redis.call('UNLINK', session.key .. ':blob:' .. digest)
    end
  end
end

-- An entry that named a blob is gone for good.
local function let_blob_go(session, mail)
  local digest = digest_of(mail)
  -- An entry that no verb has written may name anything.
  if not digest or redis.call('HEXISTS', session.key .. ':blobs', digest) == 0 then return end
  if redis.call('HINCRBY', session.key .. ':blobs', digest, -1) <= 0 then
    redis.call('HDEL', session.key .. ':blobs', digest)
    redis.call('UNLINK', session.key .. ':blob:' .. digest)
    count(session, 'blobs', -1)
  end
end

-- Stores a body for the mail behind it in the same call: put_blob and put_blob_of_turn.
local function put_blob(keys, args)
  local key = keys[1] .. ':blob:' .. args[1]
  if redis.call('EXISTS', keys[1]) == 0 then return 'UNKNOWN' end
  if not is_kind(key, 'string') then return redis.error_reply(key .. ' is no string.') end
  -- One that stays already keeps staying.
  if redis.call('EXISTS', key) == 1 and redis.call('PTTL', key) == -1 then return 'OK' end
  redis.call('SET', key, args[2], 'PX', args[3])
  return 'OK'
end
