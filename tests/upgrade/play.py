"""The upgrade as docs/operating.md tells it, under load, and the way back; what is left is judged by the logs."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

from lion_broker.broker.connect import connect
from lion_broker.broker.embedded import stop
from lion_broker.broker.raw_connection import raw_connection
from lion_broker.config import Settings
from lion_broker.insight.overview import workers_steps
from lion_broker.insight.views import WorkerView
from lion_broker.mail.exchange import Exchange, run
from lion_broker.mail.verbs import ReadSession
from lion_broker.testing import wait_until
from tests.ledger import Ledger

from .releases import Release

__all__ = ["Play", "Verdict", "environ_of"]

CHAINS: Final = 4
APP: Final = ("--app", "hops:registry")
_MAILS: Final = 40
"""So many more mails each worker that is at work has to handle before the next step."""
_SECONDS: Final = 90.0
_HERE: Final = Path(__file__).parent


def environ_of(folder: Path) -> dict[str, str]:
    """What programs find the deployment in a folder by; a lease that ran out would be told by its length."""
    return {
        "LION_BROKER_DATA_DIR": str(folder / "d"),
        "LION_BROKER_RUNTIME_DIR": str(folder / "r"),
        "LION_BROKER_LINGER": "5",
        "LION_BROKER_LEASE": "60",
    }


@dataclass(frozen=True)
class Verdict:
    """What the logs say at the end: mails by the release that handled them, and what is wrong.

    `sent` mails went down two branches each; `libraries` is how many sets of functions the server has.
    """

    sent: int
    handled: Counter[str]
    redelivered: int
    libraries: int
    wrong: list[str]


@dataclass
class Play:
    """A deployment in a folder, in which `old` and `new` are installed; `say` tells how it goes."""

    folder: Path
    old: Release
    new: Release
    say: Callable[[str], object] = str
    session: str = ""
    rounds: int = 0
    _program: subprocess.Popen[str] | None = None
    _log: IO[bytes] = field(init=False)
    _exchange: Exchange = field(init=False)

    @contextmanager
    def stage(self) -> Iterator[None]:
        """Within this the deployment may run; at the end nothing of it does."""
        shutil.copy(_HERE / "hops.py", self.folder)
        settings = Settings.load(self.old.environ)
        with (self.folder / "log").open("wb") as self._log, connect(settings=settings) as self._exchange:
            try:
                yield
            finally:
                if self._program is not None:
                    self._program.kill()
                    self._program.communicate()
                self.new.told("down", "--server")
                stop(self.folder / "d", environ=self.old.environ)

    def run(self) -> Verdict:
        """Upgrade and downgrade, workers first, then the programs; returns what has become of the mail."""
        self.up(self.old)
        self.send(self.old)
        self.replace(self.old, self.new)
        self.hand_over(self.new)
        self.replace(self.new, self.old)
        self.hand_over(self.old)
        self.finish()
        return self.judge()

    def up(self, release: Release) -> None:
        """Start a deployment."""
        self.say(f"up with {release.version}")
        ready = release.told("up", *APP, "--pool", "hops", "--workers", "1", "--port", "0", "--detach")
        address, _, token = ready["dashboard"].partition("login#")
        asked = urllib.request.Request(address, headers={"Authorization": f"Bearer {token}"})  # noqa: S310 - our own
        with urllib.request.urlopen(asked, timeout=30) as answer:  # noqa: S310
            assert answer.status == 200

    def send(self, release: Release) -> None:
        """Have a program of a release send and receive, until the next one takes its place."""
        plan = {"session": self.session, "first": self.rounds, "chains": CHAINS}
        self._program = release.program(self._log, _HERE / "load.py", json.dumps(plan))
        self.session = self._hear()["session"]
        self._flow(release)

    def replace(self, leaving: Release, coming: Release) -> None:
        """Put one release into the place of another: the old workers are drained beside new ones."""
        self.say(f"a worker of {coming.version} beside those of {leaving.version}")
        beside = coming.command(self._log, "worker", *APP, "--pool", "hops", "--json")
        self._flow(leaving, coming)
        self._both_see(leaving, coming)
        (temporary,) = [one.owner for one in self._running() if one.version == coming.version]
        self.say(f"drain {leaving.version}")
        drained = self.new.told("drain", "--version", leaving.version, "--wait")
        assert (len(drained["stopped"]), drained["left"], drained["lost"]) == (1, [], [])
        self._flow(coming)
        assert leaving.told("down")["stopped"]
        self.up(coming)
        assert self.new.told("drain", temporary, "--wait")["stopped"] == [temporary]
        assert beside.wait(_SECONDS) == 0
        beside.communicate()
        self._flow(coming)

    def hand_over(self, release: Release) -> None:
        """Have a program of a release take up what the other one leaves, with mail in flight."""
        self.say(f"the program is replaced by one of {release.version}")
        self._end("leave")
        self.send(release)

    def finish(self) -> None:
        """Have the program wait until nothing is under way."""
        self._end("finish")

    def judge(self) -> Verdict:
        """Read the logs of all branches."""
        record = self._exchange.call(ReadSession(self.session))
        assert record is not None
        ledger = Ledger.of(self._exchange, self.session)
        counters = record.counters
        wrong = [f"taken twice: {mail}" for mail in ledger.doubles()]
        wrong += [f"the log of {branch} has a gap" for branch in ledger.gaps()]
        wrong += [f"{name}: {counters[name]}" for name in ("dead", "inflight") if counters[name]]
        came = [str(text).split(" ") for texts in ledger.texts.values() for text in texts]
        home = [words for words in came if len(words) == 3]
        for chain in range(CHAINS):
            sent = [f"home{chain}:{number}" for number in range(self.rounds)]
            if [words[0] for words in home if words[0].startswith(f"home{chain}:")] != sent:
                wrong.append(f"what came back by chain {chain} is not what was sent, in order")
        handled = Counter(version for words in home for version in words[1:])
        with raw_connection(Settings.load(self.old.environ)) as line:
            (libraries,) = line.ask(("FUNCTION", "LIST"))
        return Verdict(CHAINS * self.rounds, handled, counters["redelivered"], len(libraries), wrong)

    def _both_see(self, *releases: Release) -> None:
        """Insist that either release's `status` shows both, side by side."""
        wanted = {one.version for one in releases}
        for one in releases:
            workers = one.told("status")["workers"]
            seen = {worker["version"] for worker in workers if worker["state"] == "running"}
            assert seen == wanted, f"status of {one.version} shows {seen}"

    def _running(self) -> list[WorkerView]:
        return [one for one in run(self._exchange, workers_steps()) if one.state == "running"]

    def _flow(self, *releases: Release) -> None:
        """Wait until every release that is named has handled more mail."""
        before = {one.owner: one.mails for one in self._running()}

        def moved() -> bool:
            more: Counter[str] = Counter()
            for one in self._running():
                more[one.version] += one.mails - before.get(one.owner, 0)
            return all(more[one.version] >= _MAILS for one in releases)

        wait_until(moved, _SECONDS, f"no mail is handled by {[one.version for one in releases]}")

    def _hear(self) -> dict[str, Any]:
        assert self._program is not None
        assert self._program.stdout is not None
        line = self._program.stdout.readline()
        assert line, f"the program has ended: {(self.folder / 'log').read_text()[-4000:]}"
        told: dict[str, Any] = json.loads(line)
        return told

    def _end(self, word: str) -> None:
        assert self._program is not None
        assert self._program.stdin is not None
        self._program.stdin.write(f"{word}\n")
        self._program.stdin.flush()
        self.rounds = self._hear()["next"]
        assert self._program.wait(_SECONDS) == 0
        self._program.communicate()
        self._program = None
