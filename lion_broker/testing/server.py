"""A server of the tests' own: a real one, in a directory that goes away with it."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from lion_broker.broker.connect import connect
from lion_broker.broker.embedded import attach, stop
from lion_broker.config import PREFIX, Settings
from lion_broker.mail.exchange import Exchange

__all__ = ["PrivateServer", "private_server"]

_KEPT = {f"{PREFIX}SERVER"}
"""Which server program is used may be said by the environment."""


@dataclass(frozen=True)
class PrivateServer:
    """An embedded server that no other program finds; each test works in a namespace of its own.

    `environ` is the environment in which this process finds it.
    """

    directory: Path
    environ: Mapping[str, str] = field(repr=False)

    @property
    def url(self) -> str:
        """What `Session(exchange=…)`, the option `--url` of a command and LION_BROKER_URL take."""
        return f"embedded://{self.directory}"

    def surroundings(self) -> dict[str, str]:
        """Return the environment of a program that is to work in a new namespace of this server."""
        return {**self.environ, "LION_BROKER_URL": self.url, "LION_BROKER_NAMESPACE": f"test-{uuid4().hex[:12]}"}

    def connect(self, environ: Mapping[str, str] | None = None, **settings: Any) -> Exchange:
        """Return an exchange in the namespace that `environ` names, else in a new one; whoever asks closes it.

        `settings` are those of `Settings`, such as `patience`.
        """
        return connect(settings=Settings.load(environ or self.surroundings(), **settings))


@contextlib.contextmanager
def private_server() -> Iterator[PrivateServer]:
    """Run a server for the length of a block; its data go with it.

    Raises ServerNotFound where no server binary is installed.
    """
    # Its socket lies in there too, and the name of a socket must be short; pytest's own folders are not.
    with tempfile.TemporaryDirectory(prefix="lion-") as folder:
        directory = Path(folder, "d")
        environ = {**_without_settings(), "LION_BROKER_RUNTIME_DIR": f"{folder}/r", "LION_BROKER_LINGER": "1"}
        # The lease keeps the server from stopping between two tests.
        with attach(directory, environ=environ):
            try:
                yield PrivateServer(directory, environ)
            finally:
                stop(directory, environ=environ)


def _without_settings() -> dict[str, str]:
    """Return this process's environment without what it says about other servers."""
    environ = Settings.load().environ
    return {name: value for name, value in environ.items() if not name.startswith(PREFIX) or name in _KEPT}
