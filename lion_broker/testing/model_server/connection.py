"""One connection of a client: a request is read, its reply is played, and so on until one side closes."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Final, cast

from .answer import Answer, Fault
from .openai import error_body
from .reply import Reply, plain_reply
from .request import HEAD_END, Malformed, Received, read_head, read_request
from .responder import Responder

__all__ = ["Connection"]

_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class Connection(asyncio.Protocol):
    """Reads one request after the other; while a reply goes out, the next one waits."""

    def __init__(self, responder: Responder) -> None:
        self._responder = responder
        self._loop = asyncio.get_running_loop()
        self._read = bytearray()
        self._request: Received | None = None
        self._parts: deque[bytes] = deque()
        self._next: asyncio.TimerHandle | None = None
        self._promised = False
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport = cast(asyncio.Transport, transport)
        self._responder.opened(self)

    def data_received(self, data: bytes) -> None:
        """Read what has come."""
        self._read += data
        if self._request is None:
            self._advance()

    def connection_lost(self, error: Exception | None) -> None:
        """End, in the middle of a reply too."""
        if self._next is not None:
            self._next.cancel()
        self._responder.closed(self, self._request)

    def _advance(self) -> None:
        try:
            request = self._take_request()
        except Malformed as error:
            self._request = None
            # Without this word a client would send its next request into a connection that is about to end.
            refusal = plain_reply(error_body(Answer(str(error), status=400)), 400, {"connection": "close"})
            self.transport.write(refusal.parts[0])
            self.transport.close()
            return
        if request is not None:
            self._request = request
            reply, delay = self._responder.reply(request)
            self._parts.extend(reply.parts)
            self._later(delay, reply)

    def _take_request(self) -> Received | None:
        """Return the request that has arrived whole, None before. Raises Malformed."""
        end = self._read.find(HEAD_END)
        if end < 0:
            return None
        method, path, headers = read_head(bytes(self._read[:end]))
        start = end + len(HEAD_END)
        stop = start + _length(headers)
        if len(self._read) < stop:
            if headers.get("expect", "").lower() == "100-continue" and not self._promised:
                self._promised = True
                self.transport.write(_CONTINUE)
            return None
        body = bytes(self._read[start:stop])
        del self._read[:stop]
        self._promised = False
        return read_request(method, path, headers, body, time.monotonic())

    def _later(self, seconds: float, reply: Reply) -> None:
        if seconds > 0:
            self._next = self._loop.call_later(seconds, self._play, reply)
        else:
            self._play(reply)

    def _play(self, reply: Reply) -> None:
        """Send the next part, or end the reply."""
        self._next = None
        if self._parts:
            self.transport.write(self._parts.popleft())
        if self._parts:
            self._later(reply.pause, reply)
        elif reply.end is Fault.HANG_UP:
            self._finish(close=True)
        elif reply.end is not Fault.SILENCE:
            self._finish(close=False)

    def _finish(self, close: bool) -> None:
        request, self._request = self._request, None
        close = close or request is None or request.headers.get("connection", "").lower() == "close"
        self._responder.answered()
        if close:
            self.transport.close()
        else:
            self._advance()


def _length(headers: dict[str, str]) -> int:
    if "transfer-encoding" in headers:
        raise Malformed("this server reads no chunked requests: send a content-length")
    try:
        return int(headers.get("content-length", "0"))
    except ValueError:
        raise Malformed("content-length is no number") from None
