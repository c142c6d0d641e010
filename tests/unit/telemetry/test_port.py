"""The small server of probes and scrapes, asked by whoever likes."""

import socket
from collections.abc import Iterator
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest

from lion_broker import ConfigError
from lion_broker.telemetry.port import Page, Port, checked_address


def broken(accept: str) -> Page:
    """A page that cannot be made."""
    raise LookupError("no page")


@pytest.fixture
def port() -> Iterator[Port]:
    """A port with a page that is fine and one that is not."""
    port = Port(("127.0.0.1", 0), {"/fine": lambda _: Page(b"{}"), "/broken": broken}, "--port")
    yield port
    port.close()


def asked(port: Port, method: str, path: str) -> tuple[int, bytes]:
    """Status and body of an answer."""
    client = HTTPConnection(urlsplit(port.url).netloc, timeout=60)
    client.request(method, path)
    answer = client.getresponse()
    found = answer.status, answer.read()
    client.close()
    return found


@pytest.mark.parametrize(
    ("method", "path", "status", "body"),
    [
        ("GET", "/fine", 200, b"{}"),
        ("GET", "/fine?x=1", 200, b"{}"),
        ("HEAD", "/fine", 200, b""),
        ("GET", "/none", 404, b"There is no such page; there are /broken, /fine.\n"),
        ("GET", "/broken", 500, b"This page cannot be shown; the log of the process says why.\n"),
    ],
)
def test_what_is_answered(port: Port, method: str, path: str, status: int, body: bytes) -> None:
    """Pages, none, and broken ones; what went wrong is only in the log."""
    assert asked(port, method, path) == (status, body)


@pytest.mark.parametrize("method", ["POST", "DELETE", "BREW"])
def test_nothing_is_taken(port: Port, method: str) -> None:
    """Whoever sends something is told that this is not done here."""
    assert asked(port, method, "/fine")[0] == 501


def test_who_says_nothing_holds_up_nobody(port: Port) -> None:
    """Connections without a request, and more of them than are answered at once, end before the port does."""
    address = urlsplit(port.url)
    silent = [socket.create_connection((address.hostname, address.port)) for _ in range(8)]
    assert asked(port, "GET", "/fine") == (200, b"{}")
    garbage = socket.create_connection((address.hostname, address.port))
    garbage.sendall(b"\x16\x03\x01\x00garbage\r\n\r\n")
    assert b"400" in garbage.recv(4096)
    for one in (*silent, garbage):
        one.close()


def test_an_address_that_is_not_of_this_machine() -> None:
    """Is refused in words."""
    with pytest.raises(ConfigError, match=r"--port cannot listen on 192\.0\.2\.1:8080"):
        Port(("192.0.2.1", 8080), {}, "--port")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("8080", ("127.0.0.1", 8080)),
        ("0.0.0.0:80", ("0.0.0.0", 80)),  # noqa: S104 - only read
        ("[::1]:0", ("::1", 0)),
        ("worker.local:9090", ("worker.local", 9090)),
    ],
)
def test_addresses(text: str, address: tuple[str, int]) -> None:
    """A port alone is one of this machine."""
    assert checked_address(text, "--port") == address


def test_of_the_other_family() -> None:
    """An address in brackets."""
    try:
        port = Port(checked_address("[::1]:0", "--port"), {"/fine": lambda _: Page(b"{}")}, "--port")
    except ConfigError:
        pytest.skip("this machine has no ::1")
    assert asked(port, "GET", "/fine") == (200, b"{}")
    port.close()
