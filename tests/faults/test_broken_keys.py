"""A key that holds something else, or takes nothing more: a verb does all that it says or nothing, and says why."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cached_property
from typing import Any

import pytest

from lion_broker import BrokerError
from lion_broker.mail.records import LAST, BranchSeed, Burial, Record, Reply
from lion_broker.mail.verbs import (
    Cancel,
    Claim,
    CloseBranch,
    Collect,
    CreateBranch,
    DeleteSession,
    Post,
    Receive,
    Release,
    Renew,
    Say,
    Send,
    Station,
    Step,
    Sweep,
    UpdateSession,
    Verb,
)
from tests.conformance.road import Road
from tests.faults.place import Site, own_site

pytestmark = pytest.mark.redis

HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def server() -> Iterator[Site]:
    """One server for all cases."""
    with own_site(appendfsync="everysec") as site:
        yield site


class Scene:
    """A session with mail on every station, a branch in the middle of a turn, and one that is ready."""

    def __init__(self, site: Site, delivery: str) -> None:
        self.client = site.server.client()
        self.client.flushall()
        road = self.road = Road(site.connect(patience=0), delivery, session="session", pool="pool").open()
        self.prefix = site.root
        road.pooled("ada", "ben", "eve")
        road.local("cleo", "dan")
        for name in ("ada", "ben"):
            road.post(*(road.command(name, number) for number in range(3)))
        road.say("cleo", "dan", 1, 2)
        road.say("cleo", "eve", 1)
        if delivery == "manual":
            road.collect()
            road.send("dan", "eve", limit=2)
            road.say("cleo", "dan", 3)
            road.say("cleo", "eve", 2)
            road.say("dan", "cleo", 4)
            road.collect("dan")
            road.say("dan", "eve", 5)
        entries = {ready.branch: ready.id for ready in road.ready(count=2)}
        self.claimed = road.claim("ada", "token", entries["ada"], lease_ms=HOUR_MS)
        self.entry = entries["ben"]
        road.call(Step(road.session, "ada", "token", "a-step", b"{}"))
        road.call(Cancel(road.session, "ada", "some-mail"))
        self._stored = self.picture()

    def picture(self) -> dict[bytes, bytes]:
        """Everything that is stored, byte for byte."""
        keys = sorted(self.client.keys())
        pipe = self.client.pipeline(transaction=False)
        for key in keys:
            pipe.dump(key)
        return dict(zip(keys, pipe.execute(), strict=True))

    def begin_anew(self) -> None:
        """Have everything as it was at first."""
        pipe = self.client.pipeline(transaction=False)
        pipe.flushall()
        for key, value in self._stored.items():
            pipe.restore(key, 0, value)
        pipe.execute()

    def all_keys(self) -> list[str]:
        """The keys that there are at first, and those that a verb may make."""
        road = self.road
        found = [key.decode() for key in self._stored]
        return [*found, f"{self.prefix}s:{road.session}:dead", f"{self.prefix}reply:client"]

    @cached_property
    def verbs(self) -> dict[str, Verb[Any]]:
        """One of each verb that writes, with as many parts as it can have."""
        road, name = self.road, self.road.session
        first, second = (entry.id for entry in self.claimed.entries[:2])
        turn = road.turn("ada", "token", self.claimed, 2)
        mails = (road.mail("ada", "ben"), road.mail("ada", "dan"), road.command("eve", sender="ada"))
        return {
            "post": Post(name, "other", 1, (road.mail("cleo", "dan"), road.mail("cleo", "eve"), road.command("eve"))),
            "collect": Collect(name),
            "send": Send(name),
            "send to some": Send(name, ("dan", "eve")),
            "send and receive": Send(name, receive=True),
            "receive": Receive(name),
            "claim": Claim(name, "ben", "other", self.entry, road.pool, "somebody"),
            "commit": replace(turn, mails=mails, replies=(Reply("client", "mail", b"{}"),)),
            "commit and bury": replace(turn, aside=(first,), buried=(Burial(second, "failed", "no"),)),
            "commit and let go": replace(turn, batch=0),
            "step": Step(name, "ada", "token", "another-step", b"{}"),
            "say": Say(name, "ada", "token", "client", "mail", b"{}"),
            "cancel": Cancel(name, "ada", "mail"),
            "renew": Renew((Station(name, "ada", "token"),)),
            "release": Release((Station(name, "ada", "token"),)),
            "sweep": Sweep(road.pool, 0),
            "close": CloseBranch(name, "ben"),
            "close and delete": CloseBranch(name, "dan", "mine", delete=True),
            "create": CreateBranch(name, BranchSeed("new", pool=road.pool), (Record("begun", b"{}"),)),
            "update": UpdateSession(name, {"name": "other"}),
            "delete": DeleteSession(name),
        }


def as_text(client: Any, key: str) -> None:
    """Put something else in its place."""
    client.set(key, "no such thing")


def at_its_end(client: Any, key: str) -> None:
    """Give a stream its last possible entry."""
    if client.type(key) in (b"stream", b"none"):
        client.xadd(key, {"x": "y"}, LAST)


@pytest.mark.parametrize("harm", [as_text, at_its_end])
@pytest.mark.parametrize("delivery", ["auto", "manual"])
def test_all_or_nothing(server: Site, delivery: str, harm: Callable[[Any, str], None]) -> None:
    """For every verb and every key: an answer, or an error of the package that has changed nothing."""
    scene = Scene(server, delivery)
    halves, errors = [], 0
    for key in scene.all_keys():
        for name, verb in scene.verbs.items():
            scene.begin_anew()
            harm(scene.client, key)
            before = scene.picture()
            try:
                scene.road.call(verb)
            except BrokerError as error:
                errors += 1
                if scene.picture() != before:
                    halves.append(f"{name} / {key.removeprefix(scene.prefix)}: {error}")
    assert halves == []
    assert errors > 10 or harm is at_its_end
