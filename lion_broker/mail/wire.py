"""Mail as bytes: a versioned header and a body, both strict JSON.

A mail that the package itself wrote is recognised by writing it again and comparing, which is cheaper than a
parser that watches for duplicate keys; only bytes that differ are read the slow way.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable
from dataclasses import field
from hashlib import sha256
from typing import Any, Final, NamedTuple, Self

from pydantic_core import PydanticSerializationError, to_json

from lion_broker.core.ids import IDType
from lion_broker.core.lean import lean
from lion_broker.core.portable import INSTEAD
from lion_broker.errors import MailMalformed, MailTooLarge, NotPortable

from .package import PackageCategory
from .strict_json import MAX_MAIL_BYTES, check_depth, read_json

__all__ = [
    "BLOB_BYTES",
    "MAX_BAGGAGE",
    "MAX_BODY_BYTES",
    "MAX_MAIL_BYTES",
    "WIRE_VERSION",
    "Header",
    "WireMail",
    "decode_header",
    "decode_with_care",
    "encode_json",
]

WIRE_VERSION: Final = 1
BLOB_BYTES: Final = 64 * 1024
"""A body with more travels beside its header, as a blob."""
MAX_BODY_BYTES: Final = 8 * 1024 * 1024
"""What a body may have at all."""
_FLATTER: Final = "Send it flatter, or as a text (json.dumps) that its reader takes apart."
_NO_NUMBER: Final = "NaN and Infinity are no JSON numbers. Send None, or a text, in their place."
_WHOLE_TEXT: Final = "Send text.encode('utf-8', 'replace').decode()."
_MAX_TEXT: Final = 512
MAX_BAGGAGE: Final = 8192
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_SPECIAL: Final = ("ttl", "traceparent", "tracestate", "baggage", "reply_to", "in_reply_to", "blob")
_NOTHING_SPECIAL: Final = (None,) * len(_SPECIAL)


class _Fields(NamedTuple):
    session: str
    sender: str
    recipient: str
    category: str
    id: str
    created: float
    seq: int = 0
    ttl: float | None = None
    traceparent: str | None = None
    reply_to: str | None = None
    in_reply_to: str | None = None
    blob: str | None = None
    tracestate: str | None = None
    baggage: str | None = None


class Header(_Fields):
    """Who sends what to whom; everything of a mail but its body.

    `created` is in seconds since the epoch by the sender's clock, for people only; no decision hangs on it. `blob` is
    the SHA-256 of the body, in hex, where the body travels as a blob. `id` and `created` are new unless given.
    """

    # A tuple: every mail has one, and a frozen dataclass of so many fields takes nine times as long to be made.
    __slots__ = ()

    def __new__(
        cls,
        session: str,
        sender: str,
        recipient: str,
        category: str,
        id: str | None = None,
        created: float | None = None,
        seq: int = 0,
        ttl: float | None = None,
        traceparent: str | None = None,
        reply_to: str | None = None,
        in_reply_to: str | None = None,
        blob: str | None = None,
        tracestate: str | None = None,
        baggage: str | None = None,
    ) -> Self:
        """Make a header; `id` and `created` are new ones where they are not given."""
        id = IDType.create() if id is None else id
        created = time.time() if created is None else created
        special = (seq, ttl, traceparent, reply_to, in_reply_to, blob, tracestate, baggage)
        return tuple.__new__(cls, (session, sender, recipient, category, id, created, *special))

    @classmethod
    def of_all(cls, fields: tuple[Any, ...]) -> Self:
        """Return the header with these values of all its fields, in their order."""
        return tuple.__new__(cls, fields)

    def front(self) -> str:
        """Return what the bytes of all headers with the same ends and category begin with."""
        return self.encode().decode().partition('"id":')[0] + '"id":"'

    def behind(self, front: str) -> bytes:
        """Return what `encode` does, of a header with a plain id, by its `front`.

        Of what is special it may have a cause, and a `traceparent` without signs that JSON escapes.
        """
        trace = "" if self.traceparent is None else f',"traceparent":"{self.traceparent}"'
        cause = "" if self.in_reply_to is None else f',"in_reply_to":{to_json(str(self.in_reply_to)).decode()}'
        return f'{front}{self.id}","created":{self.created!r},"seq":{self.seq}{trace}{cause}}}'.encode()

    def encode(self) -> bytes:
        """Return the header as JSON bytes, fields that are None left out."""
        # A kind of text of its own, as an IDType is, takes four times as long to be written.
        shown: dict[str, Any] = {
            "v": WIRE_VERSION,
            "session": str(self.session),
            "sender": str(self.sender),
            "recipient": str(self.recipient),
            "category": str(self.category),
            "id": str(self.id),
            "created": self.created,
            "seq": self.seq,
        }
        trace = (self.traceparent, self.tracestate, self.baggage)
        special = (self.ttl, *trace, self.reply_to, self.in_reply_to, self.blob)
        if special != _NOTHING_SPECIAL:
            given = zip(_SPECIAL, special, strict=True)
            shown |= {name: str(one) if isinstance(one, str) else one for name, one in given if one is not None}
        return to_json(shown)


# A header as this package writes it, with values that need no escapes, is read at a glance; all others with care.
_TEXT: Final = r'"([!#-\[\]-~ ]{1,512})"'
_FRONT: Final = re.compile(
    rf'\{{"v":1,"session":{_TEXT},"sender":{_TEXT},"recipient":{_TEXT},"category":"([a-z_]+)","id":'
)
_BEHIND: Final = re.compile(
    rf'{_TEXT},"created":((?:0|[1-9][0-9]{{0,11}})\.[0-9]{{1,9}}),"seq":(0|[1-9][0-9]{{0,14}})'
    rf'(?:,"ttl":((?:0|[1-9][0-9]{{0,11}})\.[0-9]{{1,17}}))?(?:,"traceparent":"((?s:.{{55}}))")?(?:,"reply_to":{_TEXT})?'
    rf'(?:,"in_reply_to":{_TEXT})?\}}'
)
_TRACE: Final = re.compile(r"[0-9a-f-]{55}")
"""What W3C lets a `traceparent` be; to skip so many signs and then compare them is cheaper than to look at each."""
_REQUIRED: Final = frozenset({"v", "id", "session", "sender", "recipient", "category", "created", "seq"})
_OPTIONAL: Final = frozenset(_SPECIAL)
_CATEGORIES: Final = frozenset(str(category) for category in PackageCategory)
_last: tuple[str, tuple[str, ...]] = "\0", ()
"""What the header that was read last says before its id, as text and as values: as a rule the next says the same."""
_last_trace = ""
"""The last `traceparent` that was read, for the same reason."""


# Past the frozen dataclass: a mail that is being made is nobody's yet.
_new: Final = object.__new__
_put: Final = object.__setattr__


@lean(frozen=True, slots=True)
class WireMail:
    """A mail as it travels: its header, and the body as bytes that nobody has to look at."""

    header: Header
    body: bytes = field(repr=False)
    head: bytes = field(default=b"", repr=False)
    value: Any = field(default=None, compare=False, repr=False)
    """What the body says, where that has been read already."""
    delay_ms: int = field(default=0, compare=False)
    """How long after its acceptance the mail is to be delivered; only where it is posted or sent."""

    def __post_init__(self) -> None:
        if not self.head:
            digest = sha256(self.body).hexdigest() if len(self.body) > BLOB_BYTES else None
            if digest != self.header.blob:
                object.__setattr__(self, "header", self.header._replace(blob=digest))
            object.__setattr__(self, "head", self.header.encode())
        size = len(self.head) + len(self.body)
        most = MAX_BODY_BYTES if self.header.blob else MAX_MAIL_BYTES
        if size > most:
            raise MailTooLarge(
                f"The mail from {self.header.sender} to {self.header.recipient} has {size:,} bytes; at most"
                f" {MAX_BODY_BYTES:,} may travel. Send a reference (a path, URL or key) instead of the content."
            )

    @classmethod
    def written(cls, header: Header, head: bytes, body: bytes) -> Self:
        """Return a mail whose bytes are there and small enough, as this process has just written them."""
        mail = _new(cls)
        _put(mail, "header", header)
        _put(mail, "body", body)
        _put(mail, "head", head)
        _put(mail, "value", None)
        _put(mail, "delay_ms", 0)
        return mail

    @property
    def id(self) -> str:
        """The mail's id."""
        return self.header.id

    @property
    def direct(self) -> bool:
        """Whether the mail goes straight into the mailbox, also with manual delivery."""
        return self.header.category == PackageCategory.COMMAND

    def is_late(self, entry: str, now_ms: float) -> bool:
        """Whether the mail, which came into a station with the entry `entry`, has waited longer than it may."""
        came = int(entry.partition("-")[0])
        return self.header.ttl is not None and now_ms > came + self.header.ttl * 1000

    def too_late(self) -> str:
        """What to say of a mail that is late."""
        return f"Not taken up within {self.header.ttl:g} s."

    def item(self) -> Any:
        """Return the body as a JSON value, not to be changed; raises MailMalformed."""
        return read_json(self.body, "body", MAX_BODY_BYTES) if self.value is None else self.value


def encode_json(value: Any, what: str, most: int = MAX_BODY_BYTES) -> bytes:
    """Return `value` as JSON bytes; raises NotPortable for what JSON cannot hold, MailTooLarge for too much.

    Both say what to send instead.
    """
    try:
        raw = to_json(value, inf_nan_mode="constants")
    except (PydanticSerializationError, ValueError, RecursionError) as error:
        raise NotPortable(f"{what} cannot travel: {_refusal(error)}") from error
    if len(raw) > most:
        raise MailTooLarge(
            f"{what} has {len(raw):,} bytes; at most {most:,} are accepted. Send a reference (a path, URL or key)"
            " instead of the content."
        )
    try:
        check_depth(raw, "value")
    except MailMalformed as error:
        raise NotPortable(f"{what} cannot travel: {error} {_FLATTER}") from error
    if b"NaN" in raw or b"Infinity" in raw:
        try:
            read_json(raw, "value", most)
        except MailMalformed as error:
            raise NotPortable(f"{what} cannot travel: {_NO_NUMBER}") from error
    return raw


def _refusal(error: Exception) -> str:
    """What JSON cannot hold, and what to send instead."""
    if "surrogates" in str(error):
        return f"A text has half a character (a lone surrogate) in it. {_WHOLE_TEXT}"
    return f"{str(error).rstrip(' .')}. {INSTEAD}"


def decode_header(raw: bytes) -> Header:
    """Return the header that `raw` describes; raises MailMalformed with what is wrong."""
    global _last, _last_trace
    text = raw.decode("latin-1")
    front, ends = _last
    if not text.startswith(front):
        found = _FRONT.match(text)
        if found is None or found[4] not in _CATEGORIES:
            return decode_with_care(raw)
        front, ends = _last = found[0], found.groups()
    usual = _BEHIND.fullmatch(text, len(front))
    if usual is None:
        return decode_with_care(raw)
    mail_id, created, seq, until, trace, client, cause = usual.groups()
    if trace is not None:
        # The same text for all: what compares them later need not look into it.
        known = _last_trace
        if trace == known:
            trace = known
        elif _TRACE.fullmatch(trace) is None:
            return decode_with_care(raw)
        else:
            _last_trace = trace
    ttl = None if until is None else float(until)
    fields = ends + (mail_id, float(created), int(seq), ttl, trace, client, cause, None, None, None)  # noqa: RUF005
    return tuple.__new__(Header, fields)


def decode_with_care(raw: bytes) -> Header:
    """Return the header that `raw` describes, whoever has written it; raises MailMalformed with what is wrong."""
    value = read_json(raw, "header")
    if not isinstance(value, dict):
        raise MailMalformed("The header is no JSON object.")
    if type(value.get("v")) is not int or value["v"] != WIRE_VERSION:
        raise MailMalformed(f"The header has version {value.get('v')!r}; this program reads version {WIRE_VERSION}.")
    names = value.keys()
    if not names >= _REQUIRED or names - _REQUIRED - _OPTIONAL:
        odd = sorted((_REQUIRED - names) | (names - _REQUIRED - _OPTIONAL))
        raise MailMalformed(f"The header lacks or does not know: {', '.join(odd)[:_MAX_TEXT]}.")
    del value["v"]
    for name, item in value.items():
        if not _CHECKS[name](item):
            raise MailMalformed(f"The header's {name} has an unusable value.")
    return Header(**value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _MAX_TEXT


def _is_number(value: Any) -> bool:
    return _is_count(value) or (isinstance(value, float) and math.isfinite(value) and value >= 0)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53


_CHECKS: Final[dict[str, Callable[[Any], bool]]] = {
    "id": _is_text,
    "session": _is_text,
    "sender": _is_text,
    "recipient": _is_text,
    "category": lambda value: isinstance(value, str) and value in _CATEGORIES,
    "created": _is_number,
    "seq": _is_count,
    "ttl": _is_number,
    "traceparent": _is_text,
    "tracestate": _is_text,
    "baggage": lambda value: isinstance(value, str) and len(value) <= MAX_BAGGAGE,
    "reply_to": _is_text,
    "in_reply_to": _is_text,
    "blob": lambda value: isinstance(value, str) and _DIGEST.fullmatch(value) is not None,
}
