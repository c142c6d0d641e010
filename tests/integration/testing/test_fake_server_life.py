"""The fake model server from its start to its stop, and many clients at once."""

import asyncio
import socket
from contextlib import suppress

import httpx
import pytest

from lion_broker.testing import FakeModelServer, wait_until
from tests.integration.testing.client import Client

MANY = 300

ASK = b'{"model": "m", "messages": [{"role": "user", "content": "?"}]}'
REQUEST = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%b" % (len(ASK), ASK)


def test_it_has_an_address_once_it_is_started() -> None:
    """Before the start there is no URL; after a stop the address is kept, refuses, and serves again."""
    server = FakeModelServer()
    with pytest.raises(RuntimeError, match="before it is started"):
        _ = server.url
    server.stop()
    with server:
        root = server.root
    with Client(root) as client:
        with pytest.raises(httpx.ConnectError):
            client.chat()
        with server:
            assert client.chat().status_code == 200
    assert (server.root, len(server.requests)) == (root, 1)


def test_connections_are_kept(server: FakeModelServer, client: Client) -> None:
    """One client needs one connection, whatever the answers are, unless it says otherwise."""
    server.says("one").fails(500).calls_tool("now").says("two")
    for streams in (False, False, True, True):
        client.chat(stream=streams)
    assert server.connections == 1
    client.headers["connection"] = "close"
    client.chat()
    client.chat()
    assert server.connections == 2


@pytest.mark.parametrize("asks", [False, True])
def test_stopping_closes_connections(server: FakeModelServer, asks: bool) -> None:
    """A client that waits for an answer, or has only just connected, sees its connection go."""
    server.falls_silent()
    with connected(server) as line:
        if asks:
            line.sendall(REQUEST)
            wait_until(lambda: server.requests)
        server.stop()
        with suppress(ConnectionResetError):
            assert line.recv(1) == b""


def test_many_clients_are_served_at_once(server: FakeModelServer) -> None:
    """All requests are in work together: nobody waits for another one's answer."""
    seconds, asked = 0.2, 0
    while server.busiest < MANY:  # who is answered before the last one has asked was not in work together with it
        seconds, asked = 2 * seconds, asked + MANY
        server.delays(seconds)
        assert asyncio.run(ask_at_once(server, MANY)) == {b"HTTP/1.1 200 OK\r\n"}
    assert (server.busiest, len(server.requests), server.abandoned) == (MANY, asked, [])


def test_a_request_may_come_in_pieces_or_with_the_next(server: FakeModelServer) -> None:
    """A request is read however it is cut, and one that came early waits for its turn."""
    server.says("one", "two")
    with connected(server) as line:
        for piece in (REQUEST[:10], REQUEST[10:70], REQUEST[70:] + REQUEST):
            line.sendall(piece)
        line.shutdown(socket.SHUT_WR)
        received = b"".join(iter(lambda: line.recv(4096), b""))
    assert received.index(b'"one"') < received.index(b'"two"')


def connected(server: FakeModelServer) -> socket.socket:
    """A plain connection to a server."""
    return socket.create_connection(address(server), timeout=60.0)


def address(server: FakeModelServer) -> tuple[str, int]:
    """Where a server listens."""
    url = httpx.URL(server.root)
    return url.host, url.port or 0


async def ask_at_once(server: FakeModelServer, count: int) -> set[bytes]:
    """Send so many requests on connections of their own; the status lines of the answers."""

    async def ask() -> bytes:
        reader, writer = await asyncio.open_connection(*address(server))
        writer.write(REQUEST)
        status = await reader.readline()
        writer.close()
        await writer.wait_closed()
        return status

    return set(await asyncio.gather(*[ask() for _ in range(count)]))
