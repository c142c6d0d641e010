"""HTTP to models' servers: the only importer of httpx, whose types and errors end here.

Redirects are not followed, cookies are not kept, and no answer may be larger than 32 MiB.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary, WeakSet

from lion_broker.models.failure import Failure, Kind, of_status, redacted
from lion_broker.models.retry import Patience

if TYPE_CHECKING:
    import httpx

__all__ = ["LARGEST_ANSWER", "Line", "Request", "is_loopback", "line_of"]

LARGEST_ANSWER: Final = 32 * 1024 * 1024
_LARGEST_ERROR: Final = 64 * 1024
_KEPT_SECONDS: Final = 30.0
_HEADERS: Final = {"user-agent": "lion-broker", "accept-encoding": "identity"}


@dataclass(frozen=True, slots=True)
class Request:
    """A POST of JSON; `secrets` are the texts that no error may show."""

    url: str
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)


class Line:
    """The connections of one event loop to one server; they are kept, and closed at the latest when the loop ends."""

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._users: WeakSet[object] = WeakSet()
        self._client: httpx.AsyncClient | None = None
        self._open: AsyncGenerator[None] | None = None

    def use(self, user: object) -> None:
        """Note who needs the line; it stays open until all of them have let go."""
        self._users.add(user)

    async def let_go(self, user: object) -> None:
        """Close the line if nobody else needs it; it opens again when it is used."""
        self._users.discard(user)
        if not self._users and self._open is not None:
            await self._open.aclose()

    async def whole(self, request: Request, patience: Patience, left: float) -> bytes:
        """Return the body of an answer with status 200, within `left` seconds. Raises Failure."""
        try:
            async with asyncio.timeout(left):
                answer = await self._answer(request, patience.connect_timeout, patience.read_timeout)
                async with aclosing(answer):
                    return await _body(answer, LARGEST_ANSWER)
        except TimeoutError:
            raise Failure(Kind.LATE, f"has not answered within {left:.3g} s") from None
        except _errors() as error:
            raise _failure(error, request, patience) from None

    async def stream(self, request: Request, patience: Patience, left: float) -> AsyncGenerator[bytes]:
        """Yield the body of an answer with status 200 as it comes; only waiting for it uses up `left`.

        Raises Failure, of the kind CUT when the answer breaks off or nothing comes for the idle timeout.
        """
        begun = time.monotonic()
        first = min(left, patience.connect_timeout + patience.read_timeout)
        try:
            async with asyncio.timeout(first):
                answer = await self._answer(request, patience.connect_timeout, None)
        except TimeoutError:
            raise Failure(Kind.LATE, f"has not begun to answer within {first:.3g} s") from None
        except _errors() as error:
            raise _failure(error, request, patience) from None
        async with aclosing(answer):
            try:
                async for piece in _pieces(answer, patience.idle_timeout, left - (time.monotonic() - begun)):
                    yield piece
            except _errors() as error:
                raise Failure(Kind.CUT, f"broke off its answer: {_words(error, request)}") from None

    async def _answer(self, request: Request, connect: float, read: float | None) -> _Answer:
        """Send a request; return an answer whose status is 200."""
        import httpx

        client = await self._opened()
        timeout = httpx.Timeout(connect=connect, read=read, write=read, pool=None)
        sent = client.build_request(
            "POST", request.url, content=request.body, headers=dict(request.headers), timeout=timeout
        )
        answer = _Answer(await client.send(sent, stream=True))
        if answer.status != 200:
            async with aclosing(answer):
                body = await _body(answer, _LARGEST_ERROR, cut=True)
            raise of_status(answer.status, answer.headers, body, request.secrets, datetime.now(UTC))
        return answer

    async def _opened(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = _client(self._origin)
            self._open = self._until_the_loop_ends(self._client)
            await anext(self._open)
        return self._client

    async def _until_the_loop_ends(self, client: httpx.AsyncClient) -> AsyncGenerator[None]:
        """Stay suspended while the line is open: before a loop ends, it closes the generators that wait in it."""
        try:
            yield
        finally:
            self._client = self._open = None
            await client.aclose()

    def __repr__(self) -> str:
        return f"Line({self._origin}, {'closed' if self._client is None else 'open'})"


# Connections belong to an event loop, so there is one table of lines for each of them, which goes away with it.
_lines: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Line]]] = WeakKeyDictionary()


def line_of(url: str, user: object) -> Line:
    """Return the running event loop's line to the server of `url`, and note that `user` needs it."""
    parts = urlsplit(url)
    origin = f"{parts.scheme}://{parts.netloc}"
    lines = _lines.setdefault(asyncio.get_running_loop(), {})
    line = lines.setdefault(origin, Line(origin))
    line.use(user)
    return line


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


@dataclass(slots=True)
class _Answer:
    """An answer whose body has not been read."""

    response: httpx.Response

    @property
    def status(self) -> int:
        return self.response.status_code

    @property
    def headers(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self.response.headers.items()}

    async def aclose(self) -> None:
        await self.response.aclose()


def _client(origin: str) -> httpx.AsyncClient:
    import httpx

    return httpx.AsyncClient(
        follow_redirects=False,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        headers=_HEADERS,
        # How many calls are made at once is for the caller and the rate limit to say; none should wait here.
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=_KEPT_SECONDS),
        # A proxy of the environment is not the way to this machine.
        trust_env=not is_loopback(urlsplit(origin).hostname or ""),
    )


async def _body(answer: _Answer, most: int, *, cut: bool = False) -> bytes:
    """Return the body, or its beginning if it may be `cut`. Raises Failure for one that is too large."""
    pieces, size = [], 0
    async for piece in answer.response.aiter_bytes():
        pieces.append(piece)
        size += len(piece)
        if size > most:
            if cut:
                break
            raise _too_large()
    return b"".join(pieces)


async def _pieces(answer: _Answer, idle: float, left: float) -> AsyncIterator[bytes]:
    pieces, size = answer.response.aiter_bytes(), 0
    while True:
        wait, begun = max(0.0, min(idle, left)), time.monotonic()
        try:
            async with asyncio.timeout(wait):
                piece = await anext(pieces, None)
        except TimeoutError:
            if left <= idle:
                raise Failure(Kind.LATE, "has not ended its answer before the deadline") from None
            raise Failure(Kind.CUT, f"fell silent in its answer for {idle:.3g} s") from None
        if piece is None:
            return
        left -= time.monotonic() - begun
        size += len(piece)
        if size > LARGEST_ANSWER:
            raise _too_large()
        yield piece


def _too_large() -> Failure:
    return Failure(Kind.MALFORMED, f"answered with more than {LARGEST_ANSWER // 2**20} MiB")


def _errors() -> tuple[type[Exception], ...]:
    import httpx

    return (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL)


def _failure(error: Exception, request: Request, patience: Patience) -> Failure:
    """Return what an error of httpx means; the only place that maps them.

    The error itself is not kept: it holds the request with its headers.
    """
    import httpx

    match error:
        case httpx.ConnectTimeout():
            return Failure(Kind.UNREACHABLE, f"could not be reached within {patience.connect_timeout:.3g} s")
        case httpx.TimeoutException():
            return Failure(Kind.LATE, f"has not answered within {patience.read_timeout:.3g} s")
        case httpx.DecodingError():
            return Failure(Kind.MALFORMED, f"answered what cannot be decoded: {_words(error, request)}")
        case httpx.ConnectError() | httpx.ProxyError():
            return Failure(Kind.UNREACHABLE, f"could not be reached: {_words(error, request)}")
        case httpx.UnsupportedProtocol() | httpx.LocalProtocolError() | httpx.InvalidURL():
            return Failure(Kind.REFUSED, f"could not be asked: {_words(error, request)}")
    return Failure(Kind.UNREACHABLE, f"closed the connection before its answer was there: {_words(error, request)}")


def _words(error: Exception, request: Request) -> str:
    return redacted(str(error) or type(error).__name__, request.secrets)
