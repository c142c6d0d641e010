"""Servers that mean no good, or speak no HTTP at all."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from itertools import chain

import pytest

from lion_broker import ModelCut, ModelError, ModelMalformed, ModelRefused, ModelTimeout, iModel
from tests.integration.models.asking import USER, ask

pytestmark = pytest.mark.anyio

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\n"
BIG = b"data: " + b"x" * 65536 + b"\n\n"
DELTA = b'data: {"choices": [{"delta": {"content": "a"}}]}\n\n'


def chunk(content: bytes) -> bytes:
    """A chunk of a response."""
    return b"%x\r\n%b\r\n" % (len(content), content)


@contextlib.asynccontextmanager
async def raw_server(
    head: bytes, rest: Iterable[bytes] = (), pause: float = 0.0
) -> AsyncIterator[tuple[iModel, list[bytes]]]:
    """A server that sends some bytes to whoever connects, and a model of it; the requests are kept."""
    requests: list[bytes] = []
    served: set[asyncio.Task[None] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.add(asyncio.current_task())
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            requests.append(await reader.readuntil(b"\r\n\r\n"))
            for piece in chain([head], rest):
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(pause)
            while await reader.read(65536):
                pass
        writer.transport.abort()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1")
    port = server.sockets[0].getsockname()[1]
    model = iModel("mine", "m", base_url=f"http://127.0.0.1:{port}/v1", max_retries=0, timeout=100.0)
    async with server:
        yield model, requests
        await model.aclose()
        # A connection that nobody has closed would keep its server's side from ending.
        assert not served or not (await asyncio.wait([task for task in served if task], timeout=60))[1]


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("kind", [b"application/json", b"text/event-stream"])
async def test_an_answer_without_end_is_too_large(kind: bytes, streams: bool) -> None:
    """It is let go after 32 MiB."""
    many = (chunk(b"x" * 2**20) for _ in range(100))
    async with raw_server(HEAD % kind + b"transfer-encoding: chunked\r\n\r\n", many) as (model, _):
        with pytest.raises(ModelMalformed, match="more than 32 MiB"):
            await ask(model, streams)


async def test_a_stream_of_comments_has_a_deadline() -> None:
    """What keeps the line alive is not an answer."""

    def comments() -> Iterable[bytes]:
        while True:
            yield chunk(b": still here\n\n")

    head = HEAD % b"text/event-stream" + b"transfer-encoding: chunked\r\n\r\n"
    async with raw_server(head, comments(), 0.01) as (model, _):
        quick = iModel.from_dict({**model.to_dict(), "timeout": 1.0})
        with pytest.raises(ModelTimeout, match="before the deadline"):
            await ask(quick, True)
        await quick.aclose()


async def test_a_large_error_is_cut() -> None:
    """Its beginning says enough."""
    head = b"HTTP/1.1 400 Bad Request\r\ntransfer-encoding: chunked\r\n\r\n"
    async with raw_server(head, (chunk(b"no " * 20000) for _ in range(10000))) as (model, _):
        with pytest.raises(ModelRefused) as raised:
            await model.invoke([USER])
    assert len(str(raised.value)) < 600


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(status: int) -> None:
    """Neither the conversation nor the key goes where somebody else says."""
    async with raw_server(b"") as (elsewhere, others):
        place = elsewhere.named.base_url
        head = f"HTTP/1.1 {status} Moved\r\nlocation: {place}\r\ncontent-length: 0\r\n\r\n".encode()
        async with raw_server(head) as (model, requests):
            with pytest.raises(ModelRefused, match="redirects are not followed"):
                await model.invoke([USER])
        assert (len(requests), others) == (1, [])


async def test_cookies_are_not_kept() -> None:
    """A server cannot tell two branches' calls apart by them."""
    head = b"HTTP/1.1 200 OK\r\nset-cookie: a=b\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}"
    async with raw_server(head) as (model, requests):
        for _ in range(2):
            with pytest.raises(ModelMalformed):
                await model.invoke([USER])
    assert [b"cookie" in request.lower() for request in requests] == [False, False]


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize(
    "head",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x16\x03\x01\x02\x00",
        b"HTTP/1.1 200 OK\r\ncontent-length: nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\n\xff\xff\xff\xff",
        b"HTTP/1.1 999 What\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 100_000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        HEAD % b"text/event-stream" + b"transfer-encoding: chunked\r\n\r\n" + chunk(b"data: 5\n\n"),
        HEAD % b"text/event-stream"
        + b"transfer-encoding: chunked\r\n\r\n"
        + chunk(b"data: " + b"[" * 50_000 + b"\n\n"),
    ],
    ids=["ssh", "tls", "length", "list", "204", "gzip", "999", "headers", "chunks", "number", "deep"],
)
async def test_nonsense_is_an_error_of_a_model(head: bytes, streams: bool) -> None:
    """Whatever comes, nothing else is raised, and in time."""
    async with raw_server(head) as (model, _):
        quick = iModel.from_dict({**model.to_dict(), "read_timeout": 0.2, "idle_timeout": 0.2})
        with pytest.raises(ModelError):
            await ask(quick, streams)
        await quick.aclose()


async def test_a_server_that_goes_on_after_the_end_does_not_keep_anybody() -> None:
    """The reply is there, and the rest is let go."""

    def on_and_on() -> Iterable[bytes]:
        yield chunk(DELTA)
        yield chunk(b"data: [DONE]\n\n")
        while True:
            yield chunk(BIG)

    async with raw_server(HEAD % b"text/event-stream" + b"transfer-encoding: chunked\r\n\r\n", on_and_on()) as (
        model,
        _,
    ):
        assert (await ask(model, True)).text == "a"


async def test_a_cut_in_the_middle_of_a_character() -> None:
    """What came before it was handed out."""
    head = HEAD % b"text/event-stream" + b"content-length: 1000\r\n\r\n" + DELTA + 'data: {"choices": "ä'.encode()[:-1]
    async with raw_server(head) as (model, _):
        quick = iModel.from_dict({**model.to_dict(), "idle_timeout": 1.0})
        with pytest.raises(ModelCut, match="fell silent"):
            await ask(quick, True)
        await quick.aclose()
