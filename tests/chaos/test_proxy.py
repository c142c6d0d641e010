"""The proxy itself, before a server that echoes: it harms what it is told to, and counts what it has harmed."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from lion_broker.testing import wait_until
from tests.chaos.proxy import Proxy, Way

SECONDS = 60.0
SILENCE = 0.05


class Echo(threading.Thread):
    """Answers every piece with the same piece, and keeps what it has got."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.got: list[bytes] = []
        self.ended = 0

    def run(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                while piece := connection.recv(65_536):
                    self.got.append(piece)
                    connection.sendall(piece)
            except OSError:
                pass
        self.ended += 1


@pytest.fixture
def echo() -> Iterator[Echo]:
    """The server."""
    server = Echo()
    server.start()
    yield server
    server.listener.close()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[Proxy]:
    """The proxy before it."""
    with Proxy(echo.port) as made:
        yield made


@pytest.fixture
def client(proxy: Proxy) -> Iterator[socket.socket]:
    """A connection through the proxy that has been used."""
    with socket.create_connection(("127.0.0.1", proxy.port)) as made:
        made.settimeout(SECONDS)
        assert ask(made, b"hello") == b"hello"
        yield made


def ask(client: socket.socket, piece: bytes) -> bytes:
    """Send a piece and return the answer; empty when the connection was cut."""
    try:
        client.sendall(piece)
        return client.recv(65_536)
    except ConnectionError:
        return b""


def is_silent(client: socket.socket) -> bool:
    """Whether nothing comes, not even an end."""
    client.settimeout(SILENCE)
    try:
        client.recv(1)
    except TimeoutError:
        return True
    finally:
        client.settimeout(SECONDS)
    return False


def test_it_passes_on(proxy: Proxy, client: socket.socket) -> None:
    """Left alone, it is a wire."""
    assert ask(client, b"x" * 30_000).startswith(b"xxx")
    assert (proxy.accepted, sum(proxy.injected.values())) == (1, 0)


def test_a_cut(proxy: Proxy, echo: Echo, client: socket.socket) -> None:
    """Both sides learn of it at once, and a new connection is not harmed."""
    assert proxy.cut() == 1
    assert ask(client, b"again") == b""
    wait_until(lambda: echo.ended)
    with socket.create_connection(("127.0.0.1", proxy.port)) as other:
        assert ask(other, b"other") == b"other"
    assert proxy.injected == {"cut": 1}


def test_nothing_to_cut(proxy: Proxy) -> None:
    """A fault that meets nothing is not counted."""
    assert proxy.cut_one() == proxy.cut() == proxy.hold(new=False) == 0
    assert sum(proxy.injected.values()) == 0


def test_a_dropped_answer(proxy: Proxy, echo: Echo, client: socket.socket) -> None:
    """The request has its effect; another request is not met by the rule."""
    proxy.drop_answer(b"pay", longer_than=3)
    assert ask(client, b"ask") == b"ask"
    assert ask(client, b"pay") == b"pay"
    assert ask(client, b"pay now") == b""
    assert echo.got[-1] == b"pay now"
    assert proxy.injected == {"answer dropped": 1}


def test_a_dropped_request(proxy: Proxy, echo: Echo, client: socket.socket) -> None:
    """It has no effect."""
    proxy.drop_request(b"pay")
    assert ask(client, b"pay now") == b""
    assert echo.got == [b"hello"]
    assert proxy.injected == {"request dropped": 1}


@pytest.mark.parametrize(("way", "arrives"), [(Way.REQUEST, False), (Way.ANSWER, True)])
def test_a_black_hole(proxy: Proxy, echo: Echo, client: socket.socket, way: Way, arrives: bool) -> None:
    """What went into it comes out when the proxy heals, however late."""
    assert proxy.hold(way) == 1
    client.sendall(b"late")
    if arrives:
        wait_until(lambda: b"late" in echo.got)
    assert is_silent(client)
    assert (b"late" in echo.got) is arrives
    proxy.heal()
    assert client.recv(10) == b"late"


def test_a_black_hole_for_new_connections(proxy: Proxy, client: socket.socket) -> None:
    """They are made, and say nothing."""
    proxy.hold()
    with socket.create_connection(("127.0.0.1", proxy.port)) as other:
        other.sendall(b"anybody?")
        assert is_silent(other)
        proxy.heal()
        other.settimeout(SECONDS)
        assert other.recv(20) == b"anybody?"


def test_the_server_is_gone_and_nobody_says_so(proxy: Proxy, echo: Echo, client: socket.socket) -> None:
    """Its side of the connection ends, the client's stands."""
    assert proxy.halve(Way.ANSWER) == 1
    wait_until(lambda: echo.ended)
    client.sendall(b"hello?")
    assert is_silent(client)


def test_a_shut_door(proxy: Proxy, client: socket.socket) -> None:
    """Who knocks is counted."""
    proxy.slam()
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", proxy.port)) as other:
            other.settimeout(SECONDS)
            assert ask(other, b"let me in") == b""
    assert proxy.injected["slammed"] == 3
    proxy.slam(False)
    with socket.create_connection(("127.0.0.1", proxy.port)) as other:
        assert ask(other, b"other") == b"other"
