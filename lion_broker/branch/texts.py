"""Message mails that hold a plain text, as nearly all do: written to bytes at once, with no message in between."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

from pydantic_core import to_json

from lion_broker.core.ids import IDType
from lion_broker.mail.package import PackageCategory
from lion_broker.mail.wire import Header, WireMail

__all__ = ["TextWriter"]

_MESSAGE: Final = PackageCategory.MESSAGE.value
_LONGEST: Final = 8192
"""Characters of a text that is small however it is written: of none come more than six bytes."""
_FRONTS_KEPT: Final = 4096
"""Recipients to whom the beginning of a header is kept, some 300 bytes each."""


class TextWriter:
    """Writes the mails of one branch as `encode_item`, `Header.encode` and `WireMail` would, byte for byte."""

    def __init__(self, session: str, sender: IDType) -> None:
        self._session = session
        self._sender = sender
        self._fronts: dict[str, str] = {}

    def body(self, text: Any) -> bytes | None:
        """Return the body of a mail with a text; None for what is none, or long, or cannot travel."""
        if type(text) is not str or not 0 < len(text) <= _LONGEST:
            return None
        try:
            return b'{"item":%b}' % to_json(text)
        except ValueError:  # half a character
            return None

    def mail(
        self, recipient: IDType, id: IDType, body: bytes, seq: int, cause: str | None, carried: Mapping[str, Any]
    ) -> WireMail:
        """Return the mail with a body to a recipient; `carried` is what its header says of its trace."""
        session, sender, trace = self._session, self._sender, carried.get("traceparent")
        if len(carried) > (trace is not None):
            header = Header(session, sender, recipient, _MESSAGE, id, seq=seq, in_reply_to=cause, **carried)
            return WireMail(header, body)
        front = self._fronts.get(recipient) or self._front(recipient)
        fields = (
            session,
            sender,
            recipient,
            _MESSAGE,
            id,
            time.time(),
            seq,
            None,
            trace,
            None,
            cause,
            None,
            None,
            None,
        )
        header = Header.of_all(fields)
        return WireMail.written(header, header.behind(front), body)

    def _front(self, recipient: str) -> str:
        """What all headers of mail to a recipient begin with."""
        if len(self._fronts) >= _FRONTS_KEPT:
            self._fronts.clear()
        front = Header(self._session, self._sender, recipient, _MESSAGE).front()
        return self._fronts.setdefault(recipient, front)
