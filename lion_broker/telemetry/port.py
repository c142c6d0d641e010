"""A small HTTP server for probes and scrapes, in threads of its own: it answers also when the event loop does not.

It is the standard library's: what it says must not need a package that a plain installation lacks.
"""

from __future__ import annotations

import errno
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET6, SHUT_RDWR, socket
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

from lion_broker.errors import ConfigError

from . import logger

__all__ = ["Page", "Pages", "Port", "checked_address"]

log = logger("port")

_MOST_AT_ONCE: Final = 16
_SILENT_SECONDS: Final = 5.0
_ADDRESS: Final = re.compile(r"(?:(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):)?(?P<port>[0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Page:
    """What is answered: the body, its type, and the HTTP status."""

    body: bytes
    kind: str = "application/json"
    status: int = 200


Pages = Mapping[str, Callable[[str], Page]]
"""What is answered at each path, to an Accept header, which may be empty."""


def checked_address(text: str, option: str) -> tuple[str, int]:
    """Return host and port of `PORT` or `HOST:PORT`; without a host it is this machine only. Raises ConfigError."""
    found = _ADDRESS.fullmatch(text.strip())
    if found is None or int(found["port"]) > 65535:
        raise ConfigError(f"{option} takes a PORT or HOST:PORT, up to 65535; 0 stands for any that is free.")
    return (found["host"] or "127.0.0.1").strip("[]"), int(found["port"])


class Port:
    """Serves pages at an address from its creation until `close`; `option` is who asked for it, for errors.

    Raises ConfigError when the address cannot be had.
    """

    def __init__(self, address: tuple[str, int], pages: Pages, option: str) -> None:
        try:
            self._server = _Server(address, pages)
        except OSError as error:
            raise ConfigError(_refusal(address, option, error)) from None
        self._thread = threading.Thread(target=self._server.serve_forever, name="lion-broker-port", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it is, as a program of this machine asks for it."""
        host, port = self._server.server_address[:2]
        shown = str(host)
        return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"

    def close(self) -> None:
        """Answer no more. May be called twice."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # Who cannot be answered now is told so at once, so that nobody fills this process with threads.
    request_queue_size = _MOST_AT_ONCE

    def __init__(self, address: tuple[str, int], pages: Pages) -> None:
        self.pages = pages
        self.address_family = AF_INET6 if ":" in address[0] else self.address_family
        self._free = threading.Semaphore(_MOST_AT_ONCE)
        super().__init__(address, _Answer)

    def server_bind(self) -> None:
        # Without the look-up of the machine's name that HTTPServer makes, which may take long.
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.debug("a request was cut")

    def shutdown_request(self, request: Any) -> None:
        if isinstance(request, socket):
            try:
                request.shutdown(SHUT_RDWR)
            except OSError:  # the other side has gone already
                log.debug("a client was gone before its answer")
        self.close_request(request)


class _Answer(BaseHTTPRequestHandler):
    timeout: ClassVar[float | None] = _SILENT_SECONDS
    server_version = "lion-broker"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer with a page."""
        self._answer(self._page())

    def do_HEAD(self) -> None:
        """Answer without the body."""
        self._answer(self._page(), body=False)

    def _page(self) -> Page:
        pages = self.server.pages if isinstance(self.server, _Server) else {}
        page = pages.get(urlsplit(self.path).path)
        if page is None:
            there = ", ".join(sorted(pages))
            return Page(f"There is no such page; there are {there}.\n".encode(), "text/plain; charset=utf-8", 404)
        try:
            return page(", ".join(self.headers.get_all("Accept") or ()))
        except Exception:
            log.exception("a page could not be made")
            return Page(b"This page cannot be shown; the log of the process says why.\n", "text/plain", 500)

    def _answer(self, page: Page, body: bool = True) -> None:
        self.send_response(page.status)
        self.send_header("Content-Type", page.kind)
        self.send_header("Content-Length", str(len(page.body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Vary", "Accept")
        self.end_headers()
        if body:
            self.wfile.write(page.body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: probes come every few seconds."""


def _refusal(address: tuple[str, int], option: str, error: OSError) -> str:
    where = f"{address[0]}:{address[1]}"
    if error.errno == errno.EADDRINUSE:
        return f"{option} cannot listen on {where}: another program does already. Name another port, or 0 for any."
    return f"{option} cannot listen on {where}: {error.strerror or error}."
