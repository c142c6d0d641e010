-- put_blob_of_turn: put_blob for a call that finishes work, and so is never refused for memory.
--
-- KEYS 1: session key
-- ARGV sha256, bytes, ttl_ms
-- -> OK | UNKNOWN

register('put_blob_of_turn', put_blob, {'allow-oom'})
