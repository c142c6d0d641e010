-- exhume: dead letters on their way again, or out of the store.
--
-- KEYS 1: session key
-- ARGV what (send | drop), n, n × (dead letter, mail, blob); an empty mail: as the letter has it
-- -> n × (OK | UNKNOWN | CLOSED | FULL)
--
-- A letter that is not there has been sent or dropped before: UNKNOWN. CLOSED and FULL leave it where it is.

-- The word for a letter that is to be sent, or what is broken.
local function refusal(session, letter)
  local recipient = look(session, letter.branch)
  if recipient.refused then return recipient.refused end
  local broken = check_station(session, recipient, true, false)
  if broken then return broken end
  return not fits(session, recipient, station_of(recipient, true), letter.mail, 1) and 'FULL' or nil
end

local function read(session, sends, one)
  -- The entry at the end of a stream stays: it shows why there is no room.
  local entry = session and one.id ~= LAST and entry_at(session.key .. ':dead', one.id)
  if not entry then return {word = 'UNKNOWN'} end
  local fields = fields_of(entry)
  local letter = {id = one.id, branch = fields.branch or '', word = 'OK'}
  letter.mail = one.m ~= '' and one or fields
  letter.gone = fields
  if sends and one.m ~= '' then
    local lost = check_blob(session, one)
    if lost then return {word = lost} end
  end
  if session.blobs > 0 and not is_kind(session.key .. ':blobs', 'hash') then
    return {word = redis.error_reply(session.key .. ':blobs is no hash; nothing was changed.')}
  end
  if sends then letter.word = refusal(session, letter) or 'OK' end
  return letter
end

register('exhume', function(keys, args)
  local text, _, list = reader(args)
  local sends = text() == 'send'
  local wanted = list(function() return {id = text(), m = text(), x = text()} end)
  local session = open_session(keys[1])
  local letters, words, chosen = {}, {}, {}
  for i, one in ipairs(wanted) do
    letters[i] = chosen[one.id] and {word = 'UNKNOWN'} or read(session, sends, one)
    chosen[one.id] = true
    if type(letters[i].word) == 'table' then return letters[i].word end
  end
  for i, letter in ipairs(letters) do
    words[i] = letter.word
    if letter.word ~= 'OK' then
      if session then forget_blobs(session, {wanted[i]}) end
    else
      redis.call('XDEL', session.key .. ':dead', letter.id)
      count(session, 'dead', -1)
      tell(session, 'k', sends and 'exhumed' or 'dropped', 'branch', letter.branch, 'letter', letter.id)
      if letter.mail ~= letter.gone or not sends then
        if sends then hold_blob(session, letter.mail) end
        let_blob_go(session, letter.gone)
      end
      if sends then
        weigh(session, branch_key(session.key, letter.branch), size_of(letter.mail))
        deliver(session, look(session, letter.branch), true, letter.mail)
      end
    end
  end
  if session then write_counts(session) end
  return words
end, {'allow-oom'})
