"""HTTP to models' servers: the only importer of httpx, whose types and errors end here.

Redirects are not followed, cookies are not kept, and no answer may be larger than 32 MiB.

A transport of httpx is used for one request at a time: the pool inside it looks at all of its connections at every
request (20 ms of CPU a call with 100 at once, measured), and a stack of transports with one connection each does not.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary, WeakSet

import anyio

from lion_broker.models.failure import Failure, Kind, Secrets, of_status, redacted
from lion_broker.models.retry import Patience

if TYPE_CHECKING:
    import ssl

    import httpx

__all__ = ["LARGEST_ANSWER", "ConnectionPool", "Request", "is_loopback", "pool_of"]

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
    secrets: Secrets = ()


class ConnectionPool:
    """The connections of one event loop to one server; they are kept, and closed at the latest when the loop ends."""

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._users: WeakSet[object] = WeakSet()
        self._idle: deque[tuple[float, httpx.AsyncHTTPTransport]] = deque()
        self._open: AsyncGenerator[None] | None = None

    def use(self, user: object) -> None:
        """Note who needs the pool; it stays open until all of them have let go."""
        self._users.add(user)

    async def let_go(self, user: object) -> None:
        """Close the connections if nobody else needs it; they are opened again when they are used."""
        self._users.discard(user)
        if not self._users and self._open is not None:
            await self._open.aclose()

    async def whole(self, request: Request, patience: Patience, left: float) -> bytes:
        """Return the body of an answer with status 200, within `left` seconds. Raises Failure."""
        try:
            async with asyncio.timeout(left):
                answer = await self._answer(request, patience)
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
        try:
            async with asyncio.timeout(left):
                answer = await self._answer(request, patience)
        except TimeoutError:
            raise Failure(Kind.LATE, f"has not begun to answer within {left:.3g} s") from None
        except _errors() as error:
            raise _failure(error, request, patience) from None
        async with aclosing(answer):
            try:
                async for piece in _pieces(answer, patience.idle_timeout, left - (time.monotonic() - begun)):
                    yield piece
            except _errors() as error:
                raise _broken_off(error, request, patience) from None

    async def _answer(self, request: Request, patience: Patience) -> _Answer:
        """Send a request; return an answer whose status is 200."""
        import httpx

        read = patience.read_timeout
        timeout = {"connect": patience.connect_timeout, "read": read, "write": read, "pool": None}
        headers = {**_HEADERS, **request.headers}
        sent = httpx.Request(
            "POST", request.url, headers=headers, content=request.body, extensions={"timeout": timeout}
        )
        transport = await self._take()
        try:
            answer = _Answer(self, transport, await transport.handle_async_request(sent))
        except BaseException:
            await _close(transport)
            raise
        if answer.status != 200:
            async with aclosing(answer):
                body = await _body(answer, _LARGEST_ERROR, cut=True)
            raise of_status(answer.status, answer.headers, body, request.secrets, datetime.now(UTC))
        return answer

    async def _take(self) -> httpx.AsyncHTTPTransport:
        """Return a transport that nobody uses, the one that was used last if there is any."""
        if self._open is None:
            self._open = self._until_the_loop_ends()
            await anext(self._open)
        return self._idle.pop()[1] if self._idle else _transport(self._origin)

    async def put_back(self, transport: httpx.AsyncHTTPTransport) -> None:
        """Keep a transport whose request is over for the next one; one that nobody has used for long is closed."""
        if self._open is None:
            await transport.aclose()
            return
        now = time.monotonic()
        self._idle.append((now, transport))
        if now - self._idle[0][0] > _KEPT_SECONDS:
            await self._idle.popleft()[1].aclose()

    async def _until_the_loop_ends(self) -> AsyncGenerator[None]:
        """Stay suspended while the pool is open: before a loop ends, it closes the generators that wait in it."""
        try:
            yield
        finally:
            self._open = None
            while self._idle:
                await self._idle.pop()[1].aclose()

    def __repr__(self) -> str:
        return f"ConnectionPool({self._origin}, {'closed' if self._open is None else f'{len(self._idle)} idle'})"


# Connections belong to an event loop, so there is one table of lines for each of them, which goes away with it.
_pools: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, ConnectionPool]]] = WeakKeyDictionary()


def pool_of(url: str, user: object) -> ConnectionPool:
    """Return the running event loop's connections to the server of `url`, and note that `user` needs it."""
    parts = urlsplit(url)
    origin = f"{parts.scheme}://{parts.netloc}"
    pools = _pools.setdefault(asyncio.get_running_loop(), {})
    pool = pools.setdefault(origin, ConnectionPool(origin))
    pool.use(user)
    return pool


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


@dataclass(slots=True)
class _Answer:
    """An answer whose body has not been read, and what to give back when it is closed."""

    pool: ConnectionPool
    transport: httpx.AsyncHTTPTransport
    response: httpx.Response

    @property
    def status(self) -> int:
        return self.response.status_code

    @property
    def headers(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self.response.headers.items()}

    async def aclose(self) -> None:
        # Whoever is cancelled must still hang up, or the server would go on for nobody.
        with anyio.CancelScope(shield=True):
            try:
                await self.response.aclose()
            finally:
                await self.pool.put_back(self.transport)


async def _close(transport: httpx.AsyncHTTPTransport) -> None:
    with anyio.CancelScope(shield=True):
        await transport.aclose()


@cache
def _tls() -> ssl.SSLContext:
    """The certificates to trust; reading them takes a while, and all connections may share them."""
    import httpx

    return httpx.create_ssl_context()


def _transport(origin: str) -> httpx.AsyncHTTPTransport:
    import httpx

    limits = httpx.Limits(max_connections=1, keepalive_expiry=_KEPT_SECONDS)
    return httpx.AsyncHTTPTransport(verify=_tls(), limits=limits, proxy=_proxy(origin))


@cache
def _proxy(origin: str) -> str | None:
    """Return the proxy that the environment names for a server (HTTPS_PROXY, NO_PROXY …); never one to this machine."""
    from urllib.request import getproxies, proxy_bypass

    parts = urlsplit(origin)
    host = parts.hostname or ""
    if is_loopback(host) or proxy_bypass(host):
        return None
    proxies = getproxies()
    return proxies.get(parts.scheme) or proxies.get("all")


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
            raise _silent(idle) from None
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


def _broken_off(error: Exception, request: Request, patience: Patience) -> Failure:
    """Return what an error of httpx means in the middle of a stream."""
    import httpx

    if isinstance(error, httpx.TimeoutException):
        return _silent(patience.read_timeout)
    return Failure(Kind.CUT, f"broke off its answer: {_words(error, request)}")


def _silent(seconds: float) -> Failure:
    return Failure(Kind.CUT, f"fell silent in its answer for {seconds:.3g} s")


def _words(error: Exception, request: Request) -> str:
    return redacted(str(error) or type(error).__name__, request.secrets)
