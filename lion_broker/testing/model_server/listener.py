"""The thread in which the fake server's event loop runs, and the socket it listens on."""

from __future__ import annotations

import asyncio
import socket
import threading

from .connection import Connection
from .responder import Responder

__all__ = ["HOST", "Listener"]

HOST = "127.0.0.1"
_BACKLOG = 4096


class Listener:
    """Listens on a port of 127.0.0.1 (0: any free one) from when it is made until `close`."""

    def __init__(self, responder: Responder, port: int = 0) -> None:
        self._responder = responder
        self._socket = socket.create_server((HOST, port), backlog=_BACKLOG)
        self.port: int = self._socket.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._over = asyncio.Event()
        # A daemon: a test program that forgets to close it must still end.
        self._thread = threading.Thread(target=self._run, name="fake-model-server", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Close all connections; the port is free when this returns."""
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        server = await self._loop.create_server(
            lambda: Connection(self._responder), sock=self._socket, backlog=_BACKLOG
        )
        await self._over.wait()
        # A connection that is being accepted while its server closes is neither served nor closed by asyncio.
        while accepting := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(accepting)
        server.close()
        for connection in list(self._responder.connections):
            connection.transport.abort()
        # One turn of the loop, in which the aborted connections let go of their sockets.
        await asyncio.sleep(0)
        await server.wait_closed()
