"""The server's log on disk ends in the middle of a commit: all of the turn is there or nothing, and work goes on."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lion_broker.mail.exchange import Exchange
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import Burial, Claimed, Reply
from tests.conformance.road import TURN, Road
from tests.faults.place import OwnServer, Site
from tests.stage import short_folder

pytestmark = [pytest.mark.redis, pytest.mark.processes]

SAMPLES = 40
EVERY_OFFSET = bool(os.environ.get("LION_FAULTS_LONG"))
"""Whether every offset is tried, and not only the first, the last and some between."""


@dataclass(frozen=True)
class Run:
    """What a server has left behind: its log, in which the last commit begins and ends at these bytes."""

    folder: Path
    site: Site
    begin: int
    end: int
    before: dict[str, Any]
    after: dict[str, Any]

    def offsets(self) -> list[int]:
        """Where to cut the log."""
        if EVERY_OFFSET:
            return list(range(self.begin, self.end + 1))
        step = max(1, (self.end - self.begin) // SAMPLES)
        edges = (self.begin, self.begin + 1, self.end - 2, self.end - 1, self.end)
        return sorted({*edges, *range(self.begin, self.end, step)})


def log_of(folder: Path) -> Path:
    """The newest part of a server's log."""
    return max(folder.glob("appendonlydir/*.incr.aof"))


def road_on(exchange: Exchange) -> Road:
    """The session of the run."""
    return Road(exchange, session="session", pool="pool", branches=["ada", "ben", "cleo"])


def stored(road: Road) -> dict[str, Any]:
    """What the session holds, but for leases, which are a matter of time."""
    state = road.state()
    state["branches"] = [
        [(one.cursor, one.version, one.waiting, one.inbox, one.outbox) for one in found] for found in state["branches"]
    ]
    return state


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    """A turn with records, mail to three branches, an answer, a dead letter and something set aside; then the end."""
    with short_folder() as folder:
        server = OwnServer(folder)
        server.start()
        site = Site(server)
        with site.connect() as exchange:
            road_on(exchange).open()
            road = Road(exchange, session="session", pool="pool")
            road.pooled("ada", "ben")
            road.local("cleo")
            road.say("cleo", "ada", 1, 2, 3, 4)
            claimed = road.take("ada", "token", lease_ms=1)
            before, begin = stored(road), log_of(folder).stat().st_size
            commit(road, claimed)
            after, end = stored(road), log_of(folder).stat().st_size
        server.kill()
        yield Run(folder, site, begin, end, before, after)


def commit(road: Road, claimed: Claimed) -> None:
    """Make the turn."""
    first, second = (entry.id for entry in claimed.entries[:2])
    committed = road.commit(
        "ada",
        "token",
        claimed,
        3,
        records=(TURN, TURN),
        mails=tuple(road.mail("ada", name, f"to {name}") for name in ("ben", "cleo", "ada")),
        replies=(Reply("client", "mail", b"{}"),),
        aside=(first,),
        buried=(Burial(second, "failed", "as a test"),),
        lease_ms=1,
    )
    assert committed.outcome is Outcome.OK


def drain(road: Road) -> None:
    """Do what waits, as any worker would."""
    road.sweep()
    while ready := road.ready():
        for one in ready:
            at = road.claim(one.branch, "another", one.id)
            assert at.outcome is Outcome.OK
            assert road.commit(one.branch, "another", at, batch=0).outcome is Outcome.DRAINED


def test_a_log_that_ends_anywhere(run: Run) -> None:
    """All of the commit or nothing, at every byte: log, cursor, version, mail, answer and counters."""
    assert run.end - run.begin > 1000
    torn = []
    for offset in run.offsets():
        with short_folder() as folder:
            shutil.copytree(run.folder / "appendonlydir", folder / "appendonlydir")
            with log_of(folder).open("r+b") as log:
                log.truncate(offset)
            server = OwnServer(folder, appendfsync="everysec")
            server.start()
            run.site.use(server.url)
            with run.site.connect() as exchange:
                road = road_on(exchange)
                whole = offset == run.end
                with server.client() as client:
                    answers = client.xlen(f"{run.site.root}reply:client")
                if stored(road) != (run.after if whole else run.before) or answers != int(whole):
                    torn.append(offset)
                drain(road)
                assert road.counter("inflight") == 0
                assert [road.branch(name).waiting for name in road.branches] == [0, 0, 0]
                versions = {row.version for row in road.log("ada")}
                assert versions == set(range(1, max(versions) + 1))
            server.kill()
    assert torn == []
