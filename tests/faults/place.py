"""Where faults are made: an own server that can be killed, starved and refused, and programs that use it."""

from __future__ import annotations

import contextlib
import secrets
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from redis import Redis
from redis.backoff import ConstantBackoff
from redis.exceptions import BusyLoadingError
from redis.exceptions import ConnectionError as NotYetThere
from redis.retry import Retry

from lion_broker.broker.exchange import RedisExchange
from lion_broker.testing import wait_until
from tests.conformance.servers import find_bundled
from tests.stage import Program, Stage, short_folder

__all__ = ["OwnServer", "Site", "own_site", "pass_time"]


class OwnServer:
    """A server on a private socket: started, killed, frozen, asked how it is."""

    def __init__(self, folder: Path, data: Path | None = None, **options: str) -> None:
        self.socket = folder / "s"
        self.data = data or folder
        self.url = f"unix://{self.socket}"
        given = {"port": "0", "unixsocket": str(self.socket), "dir": str(self.data), "save": "", "appendonly": "yes"}
        self._options = {**given, "appendfsync": "always", "loglevel": "warning", **options}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers; AssertionError when it ends instead."""
        self.begin()
        wait_until(self.answers, message="the server did not answer")

    def begin(self, options: Mapping[str, str] = MappingProxyType({})) -> None:
        """Start it, with more options for this once, and wait for nothing."""
        words = [part for name, value in {**self._options, **options}.items() for part in (f"--{name}", value)]
        self._process = subprocess.Popen([str(find_bundled()), *words], stdout=subprocess.DEVNULL)

    def answers(self) -> bool:
        """Whether it takes commands."""
        assert self.alive, "the server has ended"
        try:
            with self.client() as client:
                return bool(client.ping())
        except (NotYetThere, BusyLoadingError):
            return False

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self._process is not None and self._process.poll() is None

    def client(self, **options: Any) -> Any:
        """A plain client without repetitions."""
        return Redis(unix_socket_path=str(self.socket), retry=Retry(ConstantBackoff(0), 0), **options)

    def info(self, section: str) -> dict[str, Any]:
        """What it counts."""
        with self.client() as client:
            counts: dict[str, Any] = client.info(section)
            return counts

    def calls(self, *names: str) -> int:
        """How often commands have been called since it was started."""
        found = self.info("commandstats")
        return sum(int(found.get(f"cmdstat_{name}", {"calls": 0})["calls"]) for name in names)

    def configure(self, name: str, value: str) -> None:
        """Change a setting while it runs."""
        with self.client() as client:
            client.config_set(name, value)

    def kill(self) -> None:
        """End it as a power cut of its process would; may be called twice."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def wait(self) -> int:
        """Wait until it has ended by itself."""
        assert self._process is not None
        return self._process.wait(60)

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Within this it says nothing, and its connections stand."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def now_ms(self) -> int:
        """Milliseconds of its own clock."""
        with self.client() as client:
            seconds, micros = client.time()
            return int(seconds) * 1000 + int(micros) // 1000


class Site:
    """A namespace on an own server: exchanges of this process, and programs of their own."""

    def __init__(self, server: OwnServer) -> None:
        self.server = server
        self.url = server.url
        self.secret = secrets.token_hex(16)
        self.namespace = f"ns-{secrets.token_hex(6)}"
        self._exchanges: list[RedisExchange] = []
        self._stage = Stage(self.environ())
        self._ends = contextlib.ExitStack()

    def use(self, url: str) -> None:
        """From now on have programs and exchanges come by another URL."""
        self.url = url
        self._stage.environ["LION_BROKER_URL"] = url

    def environ(self, **more: str) -> dict[str, str]:
        """What leads a program to the namespace."""
        return {
            "LION_BROKER_URL": self.url,
            "LION_BROKER_SECRET": self.secret,
            "LION_BROKER_NAMESPACE": self.namespace,
            **more,
        }

    @property
    def root(self) -> str:
        """What every key of the namespace begins with."""
        return f"lion:{{{self.namespace}:0}}:"

    def connect(self, patience: float = 20.0, secret: str | None = None, url: str | None = None) -> RedisExchange:
        """One more exchange on the namespace."""
        signing = (secret or self.secret).encode()
        exchange = RedisExchange(url or self.url, signing, namespace=self.namespace, patience=patience)
        self._exchanges.append(exchange)
        return exchange

    def ends_with(self, end: Callable[[], object]) -> None:
        """Have something done while the server is still there."""
        self._ends.callback(end)

    def worker(self, *options: str, pool: str = "p", **environ: Any) -> Program:
        """Start a worker process."""
        return self._stage.worker(environ.pop("app", "tests.apps.desk:registry"), pool, *options, **environ)

    def start(self, *words: str, **environ: str) -> Program:
        """Start a Python program."""
        return self._stage.start(*words, **environ)

    @property
    def programs(self) -> list[Program]:
        """All that were started."""
        return self._stage.programs

    def close(self) -> None:
        """End sessions, programs and connections."""
        self._ends.close()
        for exchange in self._exchanges:
            exchange.close()
        self._stage.close()


@contextlib.contextmanager
def own_site(data: Path | None = None, **options: str) -> Iterator[Site]:
    """A site on a running server of its own."""
    with short_folder() as folder:
        server = OwnServer(folder, data, **options)
        server.start()
        site = Site(server)
        try:
            yield site
        finally:
            site.close()
            server.kill()


def pass_time(server: OwnServer, seconds: float) -> None:
    """Return when so much time has passed on a server's clock: leases end by nothing else."""
    until = server.now_ms() + seconds * 1000
    wait_until(lambda: server.now_ms() > until, timeout=30 + 10 * seconds)
