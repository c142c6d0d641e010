-- put_blob: a body that a mail in the next call names.
--
-- KEYS 1: session key
-- ARGV sha256, bytes, ttl_ms
-- -> OK | UNKNOWN

register('put_blob', put_blob)
