"""Mail as a value of a stream entry: sealed on the way out, verified before anything is parsed on the way in.

A sealed mail is one value, because a server pays for each value of an entry more than for its bytes: a byte with the
length of the signature, the signature, the header, a line feed, the body. A header is one line.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from lion_broker.errors import MailMalformed, SignatureInvalid
from lion_broker.mail.checks import is_id
from lion_broker.mail.records import Entry, Record, Rejected
from lion_broker.mail.strict_json import read_json
from lion_broker.mail.wire import MAX_MAIL_BYTES, WireMail, decode_header

from .signing import Signer

__all__ = ["Codec", "Sealed", "packed", "packed_records", "signature_of", "unpacked", "unpacked_records"]

_NAMES: Final = ((b"m",), (b"m", b"x"))
_PARTS: Final = (b"h", b"b", b"s", b"x")
_SHOWN: Final = 1024
ENTRY_BYTES: Final = 8192
"""What records of one entry of a log have together: with more, a server's lists of entries cost more again."""
_MOST_RECORDS: Final = 32
_LINE_BYTES: Final = 1024
"""More than the lengths of so many records have."""

RawEntry = tuple[bytes, list[bytes]]
"""A stream entry as the server answers it: its id and a flat list of field names and values."""


class Sealed(NamedTuple):
    """A mail as a verb carries it; `blob` is `<sha256>:<bytes>` where the body goes beside it, else empty."""

    mail: bytes
    blob: str


def packed(head: bytes, body: bytes, signature: bytes) -> bytes:
    """Return the one value that a mail is in an entry."""
    return b"%c%b%b\n%b" % (len(signature), signature, head, body)


def unpacked(mail: bytes) -> tuple[bytes, bytes, bytes] | None:
    """Return header, body and signature of such a value, None where it is none; nothing is verified."""
    if not mail:
        return None
    begins = mail[0] + 1
    ends = mail.find(b"\n", begins)
    return None if ends < 0 else (mail[begins:ends], mail[ends + 1 :], mail[1:begins])


def signature_of(mail: bytes) -> bytes:
    """Return the signature that a packed mail begins with."""
    return mail[1 : mail[0] + 1]


def packed_records(records: Sequence[Record]) -> list[tuple[int, bytes]]:
    """Return records as values of a log, each with how many it holds: a line with their lengths, then they themselves.

    The lengths of kind, header and body are written in this order. A value has as many records as fit into
    `ENTRY_BYTES`, or one that is larger.
    """
    found: list[tuple[int, bytes]] = []
    parts: list[bytes] = [b""]
    lengths, count, size = "", 0, 0
    for record in records:
        kind, head, body = record.kind.encode(), record.head, record.body
        of_kind, of_head, of_body = len(kind), len(head), len(body)
        size += of_kind + of_head + of_body
        if count and (size > ENTRY_BYTES or count == _MOST_RECORDS):
            parts[0] = f"{lengths}\n".encode()
            found.append((count, b"".join(parts)))
            parts, lengths, count, size = [b""], "", 0, of_kind + of_head + of_body
        lengths += f"{of_kind} {of_head} {of_body} "
        parts += (kind, head, body)
        count += 1
    if count:
        parts[0] = f"{lengths}\n".encode()
        found.append((count, b"".join(parts)))
    return found


def unpacked_records(value: bytes) -> list[Record]:
    """Return the records of such a value; none where it has another form, as no verb has written it."""
    at = value.find(b"\n", 0, _LINE_BYTES) + 1
    line = value[: max(0, at - 1)]
    if not line.replace(b" ", b"").isdigit():
        return []
    lengths = [*map(int, line.split())]
    if len(lengths) % 3 or at + sum(lengths) != len(value):
        return []
    found, shape = [], iter(lengths)
    for of_kind, of_head, of_body in zip(shape, shape, shape, strict=True):
        head = at + of_kind
        body = head + of_head
        ends = body + of_body
        found.append(Record(_kind(value[at:head]), value[body:ends], value[head:body]))
        at = ends
    return found


@lru_cache(maxsize=64)
def _kind(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


class Codec:
    """Turns mails into values of entries and entries into mails, with the signatures of one namespace."""

    def __init__(self, signer: Signer) -> None:
        self.signer = signer
        self._sender = ""
        """The sender that was looked at last: as a rule the next mail has the same, and even the same object."""

    def seal(self, mail: WireMail) -> Sealed:
        """Return a mail with its signature; a body that travels as a blob is signed by its digest."""
        session, head = mail.header.session, mail.head
        if mail.header.blob is None:
            return Sealed(packed(head, mail.body, self.signer.sign(session, head, mail.body)), "")
        blob = f"{mail.header.blob}:{len(mail.body)}"
        return Sealed(packed(head, b"", self.signer.sign(session, head, b"")), blob)

    def open(self, raw: RawEntry, session: str, branch: str) -> Entry:
        """Return the mail of an entry in a mailbox of `branch`, or why it is none; never raises for bad bytes."""
        entry_id, fields = raw
        return Entry(entry_id.decode(), self.open_fields(fields, session, branch))

    def open_fields(self, fields: list[bytes], session: str, branch: str) -> WireMail | Rejected:
        """Return the mail of an entry's fields, or why it is none; a body that is a blob is still to be fetched."""
        if tuple(fields[0::2]) not in _NAMES or len(fields) % 2:
            return _reject("malformed", "The entry does not have the fields of a mail.", fields[1::2], fields[0::2])
        return self.open_mail(fields[1], session, branch, fields[3] if len(fields) > 2 else None)

    def open_mail(self, mail: bytes, session: str, branch: str, blob: bytes | None = None) -> WireMail | Rejected:
        """Return the mail of its value and, where there is one, its blob; else the same as `open_fields`."""
        found = unpacked(mail)
        if found is None:
            return _reject("malformed", "The entry does not have the form of a mail.", [mail], [b"m"])
        head, body, signature = found
        parts = found if blob is None else (*found, blob)
        if len(head) + len(body) > MAX_MAIL_BYTES:
            return _reject("too_large", f"The mail has {len(head) + len(body):,} bytes.", parts)
        try:
            self.signer.verify(session, head, body, signature)
            header = decode_header(head)
            value = read_json(body, "body") if header.blob is None else None
        except SignatureInvalid as error:
            return _reject("bad_signature", str(error), parts)
        except MailMalformed as error:
            return _reject("malformed", str(error), parts)
        if header.sender is not self._sender:
            if not is_id(header.sender):
                return _reject("malformed", "The sender is no id.", parts)
            self._sender = header.sender
        if header.session != session or header.recipient != branch:
            return _reject("misdirected", "The mail is addressed to another session or branch.", parts)
        named = None if blob is None else blob.partition(b":")[0].decode("ascii", "replace")
        if named != header.blob or (named is not None and body):
            return _reject("malformed", "The entry and its header name different blobs.", parts)
        return WireMail(header, body, head, value)


def _reject(reason: str, detail: str, parts: Sequence[bytes], names: Sequence[bytes] = _PARTS) -> Rejected:
    """Keep what a person needs to see of it, cut to a kibibyte a field."""
    pairs = zip(names, parts, strict=False)
    shown = {name.decode("utf-8", "replace")[:_SHOWN]: bytes(value[:_SHOWN]) for name, value in pairs}
    return Rejected(reason, detail, shown)
