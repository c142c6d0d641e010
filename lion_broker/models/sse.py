"""Server-sent events, read from bytes however the network has cut them.

The format is that of the HTML standard, section 9.2: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

__all__ = ["EventParser"]

_MARK: Final = b"\xef\xbb\xbf"


class EventParser:
    """Takes the bytes of a stream as they come and gives the data of each event that is complete.

    Lines end with LF, CR or CRLF; `data` of several lines is joined by LF; comments and other fields are passed over,
    and so is an event that the end of the stream cuts off. Bytes are decoded line by line, so that a character may
    arrive in parts; what is no UTF-8 becomes U+FFFD.
    """

    def __init__(self) -> None:
        self._rest = bytearray()
        self._searched = 0
        self._data: list[str] = []
        self._begins = True

    def feed(self, piece: bytes) -> Iterator[str]:
        """Yield the data of the events that `piece` completes."""
        self._rest += piece
        for line in self._lines():
            if not line and self._data:
                data, self._data = "\n".join(self._data), []
                yield data
            elif line.startswith(b"data"):
                self._take(line)

    def _take(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        if name == b"data":
            self._data.append(value.removeprefix(b" ").decode("utf-8", "replace"))

    def _lines(self) -> Iterator[bytes]:
        start = 0
        while (end := self._line_end(max(start, self._searched))) >= 0:
            line = bytes(self._rest[start:end])
            if self._begins:
                line, self._begins = line.removeprefix(_MARK), False
            start = self._searched = end + (2 if self._rest[end : end + 2] == b"\r\n" else 1)
            yield line
        del self._rest[:start]
        # A CR at the end is looked at again.
        self._searched = max(0, len(self._rest) - 1)

    def _line_end(self, start: int) -> int:
        """Return where the next line ends, -1 when that is not known yet."""
        feed, back = self._rest.find(b"\n", start), self._rest.find(b"\r", start)
        if back < 0 or 0 <= feed < back:
            return feed
        # A CR at the end of what has come may be the first half of a CRLF.
        return back if back + 1 < len(self._rest) else -1
