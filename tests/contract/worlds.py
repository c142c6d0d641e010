"""A world in which the commands of a page are typed: a folder, a shell, a server, and who plays the others."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any
from unittest.mock import patch

from anyio.from_thread import start_blocking_portal

from lion_broker import Branch, Session, Worker
from lion_broker.broker.exchange import RedisExchange
from lion_broker.broker.library import PROTOCOL
from lion_broker.insight.overview import workers_steps
from lion_broker.mail.deployment import WorkerPhase, WorkerReport
from lion_broker.mail.exchange import Exchange, run
from lion_broker.mail.verbs import Claim, Enrol, ListSessions, ReadReady
from lion_broker.testing import wait_until
from lion_broker.worker.forgetting import forget_steps
from lion_broker.worker.heartbeat import Heartbeat
from tests.apps.pages import registry
from tests.conformance.servers import SECRET, Server, find_bundled, running
from tests.contract.console import GUARD_SECONDS, Shell
from tests.stage import ROOT, Home, Stage, short_folder

__all__ = ["World", "world"]

MINUTES_MS = 600_000
APP = "from tests.apps.pages import registry\n\n__all__ = ['registry']\n"


class World:
    """A folder with a shell, a server that the commands find there, and an exchange on it for what a page tells of."""

    def __init__(self, shell: Shell, folder: Path, exchange: Exchange, server: Server, stack: ExitStack) -> None:
        self.shell = shell
        self.folder = folder
        self.exchange = exchange
        self.server = server
        self._stack = stack
        self._portal = stack.enter_context(start_blocking_portal())
        self.sessions: dict[str, Session] = {}
        self._workers: list[tuple[Worker, Future[None]]] = []

    def session(self, name: str, **branches: str) -> Session:
        """A session with automatic delivery and, in the pool `readers`, branches with a behaviour each."""
        session = Session(name=name, exchange=self.exchange, delivery="auto")
        for branch, behaviour in reversed(branches.items()):
            others = {one.name: one.id for one in session.branches if one.name}
            session.new_branch(name=branch, pool="readers", behaviour=behaviour, metadata=others)
        self.sessions[name] = self._stack.enter_context(session)
        return session

    def empty(self) -> None:
        """Remove all sessions."""
        for one in self.exchange.call(ListSessions()):
            Session.open(one, exchange=self.exchange, host=True).delete()

    def hire(self, host: str, pid: int, lease: float = 60.0) -> None:
        """Have a worker of this process serve `readers` under a name that a page shows; it is in the register then."""
        with patch.object(socket, "gethostname", return_value=host), patch.object(os, "getpid", return_value=pid):
            worker = self._portal.call(partial(Worker, registry, exchange=self.exchange, pool="readers", lease=lease))
        self._workers.append((worker, self._portal.start_task_soon(_serve, worker)))
        self.wait_for(lambda: worker.owner in self.workers("running"))

    def workers(self, state: str) -> list[str]:
        """Who is in the register in a state."""
        return [one.owner for one in run(self.exchange, workers_steps()) if one.state == state]

    def enrol(self, owner: str, beat_ms: int = MINUTES_MS) -> None:
        """Put a worker into the register that is not there; it reports for so long."""
        host, pid, _ = owner.split(":")
        report = WorkerReport(
            owner,
            "readers",
            WorkerPhase.RUNNING,
            host,
            int(pid),
            version("lion-broker"),
            PROTOCOL,
            started=time.time(),
            beat_ms=beat_ms,
            concurrency=100,
        )
        self.exchange.call(Enrol(report))

    def lose(self, owner: str) -> None:
        """Have a worker in the register that has not been heard of for too long."""
        self.enrol(owner, beat_ms=1)
        self.wait_for(lambda: owner in self.workers("lost"))

    def forget(self) -> None:
        """Have nobody in the register; who is told to drain ends before."""
        self.wait_for(lambda: not self.workers("running") and not self.workers("draining"))
        run(self.exchange, forget_steps([*self.workers("lost"), *self.workers("stopped")]))

    def claim(self, session: Session, branch: Branch, lease_ms: int) -> None:
        """Have somebody take a branch with what waits for it, and not be heard of again."""
        (ready,) = [one for one in self.exchange.call(ReadReady("readers", "web-2", 10)) if one.branch == branch.id]
        self.exchange.call(Claim(session.id, branch.id, "t" * 32, ready.id, "readers", "web-2:77:c01d29f3", lease_ms))

    @property
    def volatile(self) -> str:
        """The URL of a server, with a secret in the environment, that throws mail away when memory is short."""
        server = self._stack.enter_context(running(find_plain(), maxmemory_policy="allkeys-lru"))
        return server.url

    def happen(self) -> None:
        """Something that a command may be waiting to show: a mail in the first session."""
        session = next(iter(self.sessions.values()))
        session.default_branch.send("critic", "message", "What of this?")

    def wait_for(self, predicate: Callable[[], object]) -> None:
        """Wait until something is so."""
        wait_until(predicate, timeout=GUARD_SECONDS)

    def rest(self) -> None:
        """End the workers of this process; raises what they have raised."""
        for worker, served in self._workers:
            self._portal.call(worker.stop)
            served.result(GUARD_SECONDS)
        self._workers.clear()


def find_plain() -> Path:
    """The server that the machine has, else the bundled one."""
    return Path(shutil.which("redis-server") or find_bundled())


class _Prompt(Heartbeat):
    """Reports ten times a second, so that no command waits for the next report to be obeyed; it is overdue as ever."""

    def __init__(self, *made_with: Any) -> None:
        exchange, report, _, on_order = made_with
        super().__init__(exchange, report, 0.1, on_order)


async def _serve(worker: Worker) -> None:
    async with worker:
        await worker.run()


@contextmanager
def world(*, embedded: bool) -> Iterator[World]:
    """A world with an embedded server of its own, or with one that somebody has started."""
    with ExitStack() as stack:
        folder = stack.enter_context(short_folder())
        home = Home(folder)
        place = folder / "desk"
        place.mkdir()
        stack.callback(home.close)
        environ = {name: value for name, value in os.environ.items() if not name.startswith("LION_BROKER_")}
        environ |= {"PYTHONPATH": str(ROOT), "NO_COLOR": "1", **home.environ}
        programs = Path(sys.executable).parent
        environ["PATH"] = f"{programs}{os.pathsep}{environ['PATH']}"
        (place / ".venv").symlink_to(programs.parent)
        (place / "app.py").write_text(APP)
        if not embedded:
            server = stack.enter_context(running(find_bundled(), maxmemory_policy="noeviction"))
            environ |= {"LION_BROKER_URL": server.url, "LION_BROKER_SECRET": SECRET.decode()}
            exchange: Exchange = stack.enter_context(RedisExchange(server.url, SECRET))
        else:
            stage = stack.enter_context(Stage(home.environ))
            server, exchange = stage.server, stage.exchange
        stack.enter_context(patch("lion_broker.worker.worker.Heartbeat", _Prompt))
        shell = stack.enter_context(Shell(place, environ))
        stack.push(partial(_clear, shell))
        yield World(shell, place, exchange, server, stack)


def _clear(shell: Shell, kind: type[BaseException] | None, *rest: object) -> None:
    """Have what a page has started on its own not outlive a failure before the page stops it."""
    if kind is not None:
        shell.type("lion-broker down")
