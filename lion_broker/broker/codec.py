"""Mail as the fields of a stream entry: sealed on the way out, verified before anything is parsed on the way in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from lion_broker.errors import MailMalformed, SignatureInvalid
from lion_broker.mail.checks import is_id
from lion_broker.mail.records import Entry, Rejected
from lion_broker.mail.wire import MAX_MAIL_BYTES, WireMail, decode_header, read_json

from .signing import Signer

__all__ = ["Codec", "Sealed"]

_NAMES: Final = (b"h", b"b", b"s")
_BLOB_NAMES: Final = (*_NAMES, b"x")
_SHOWN: Final = 1024

RawEntry = tuple[bytes, list[bytes]]
"""A stream entry as the server answers it: its id and a flat list of field names and values."""


class Sealed(NamedTuple):
    """A mail as a verb carries it; `blob` is `<sha256>:<bytes>` where the body goes beside it, else empty."""

    head: bytes
    body: bytes
    signature: bytes
    blob: str


class Codec:
    """Turns mails into entry fields and entries into mails, with the signatures of one namespace."""

    def __init__(self, signer: Signer) -> None:
        self.signer = signer

    def seal(self, mail: WireMail) -> Sealed:
        """Return header, body and signature of a mail; a body that travels as a blob is signed by its digest."""
        session = mail.header.session
        if mail.header.blob is None:
            return Sealed(mail.head, mail.body, self.signer.sign(session, mail.head, mail.body), "")
        return Sealed(mail.head, b"", self.signer.sign(session, mail.head, b""), f"{mail.header.blob}:{len(mail.body)}")

    def open(self, raw: RawEntry, session: str, branch: str) -> Entry:
        """Return the mail of an entry in a mailbox of `branch`, or why it is none; never raises for bad bytes."""
        entry_id, fields = raw
        return Entry(entry_id.decode(), self.open_fields(fields, session, branch))

    def open_fields(self, fields: list[bytes], session: str, branch: str) -> WireMail | Rejected:
        """Return the mail of an entry's fields, or why it is none; a body that is a blob is still to be fetched."""
        if tuple(fields[0::2]) not in (_NAMES, _BLOB_NAMES) or len(fields) % 2:
            return _reject("malformed", "The entry does not have the fields of a mail.", fields[1::2], fields[0::2])
        return self.open_parts(fields[1::2], session, branch)

    def open_parts(self, parts: Sequence[bytes], session: str, branch: str) -> WireMail | Rejected:
        """Return the mail of header, body, signature and, where there is one, blob; else the same as `open_fields`."""
        head, body, signature = parts[:3]
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
        if not is_id(header.sender):
            return _reject("malformed", "The sender is no id.", parts)
        if header.session != session or header.recipient != branch:
            return _reject("misdirected", "The mail is addressed to another session or branch.", parts)
        named = parts[3].partition(b":")[0].decode("ascii", "replace") if len(parts) > len(_NAMES) else None
        if named != header.blob or (named is not None and body):
            return _reject("malformed", "The entry and its header name different blobs.", parts)
        return WireMail(header, body, head, value)


def _reject(reason: str, detail: str, parts: Sequence[bytes], names: Sequence[bytes] = _BLOB_NAMES) -> Rejected:
    """Keep what a person needs to see of it, cut to a kibibyte a field."""
    pairs = zip(names, parts, strict=False)
    shown = {name.decode("utf-8", "replace")[:_SHOWN]: bytes(value[:_SHOWN]) for name, value in pairs}
    return Rejected(reason, detail, shown)
