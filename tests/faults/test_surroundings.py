"""What a worker's machine may be like: a wrong clock, few file descriptors, little memory, very many idle branches."""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from lion_broker import Instruction, Session
from lion_broker.mail.verbs import Post
from lion_broker.mail.wire import Header, WireMail, encode_json
from lion_broker.testing import wait_until
from tests.faults.load import Load, check, flowing
from tests.faults.place import Site, own_site
from tests.stage import Program

pytestmark = [pytest.mark.redis, pytest.mark.processes]

IDLE = 100_000 if os.environ.get("LION_FAULTS_LONG") else 20_000
ASKING = {"info", "client", "hello", "select"}
"""What a plain client sends that looks how far the server is, and more often the longer it has to wait."""
LEASE = 6.0
"""Seconds; a busy machine lets a worker that renews it every two of them wait for less than the other four."""
WORKER = ("worker", "--app", "tests.apps.desk:registry", "--pool", "p", "--json", "--until-eof", "--lease", "1")

LIMITED = """
import resource, runpy, sys
kind, most = sys.argv[1], int(sys.argv[2])
resource.setrlimit(getattr(resource, kind), (most, most))
sys.argv = ["lion-broker", *sys.argv[3:]]
runpy.run_module("lion_broker", run_name="__main__", alter_sys=True)
"""
"""A program that may have so much of something, and then is `lion-broker`."""


def limited(site: Site, kind: str, most: int) -> Program:
    """A worker with a limit of the system, ready."""
    worker = site.start("-c", LIMITED, kind, str(most), *WORKER, **site.environ())
    worker.ready()
    return worker


def libfaketime() -> Path:
    """The library that makes a program believe in another time."""
    for folder in ("/usr/lib", "/usr/local/lib", "/opt/homebrew/lib"):
        for found in Path(folder).glob("**/faketime/libfaketime.so.1"):
            return found
    pytest.skip("libfaketime is not installed")


def test_clocks_that_are_an_hour_off(site: Site) -> None:
    """One worker lives an hour ago and one an hour ahead, and others take over what they leave: nothing changes."""
    library = libfaketime()
    load = Load.begin(site)
    shifted = [
        site.worker(lease=LEASE, LD_PRELOAD=str(library), FAKETIME=offset, FAKETIME_DONT_FAKE_MONOTONIC="1")
        for offset in ("-1h", "+1h")
    ]
    for worker in shifted:
        worker.ready()
    clocks = [told_hour(worker) for worker in shifted]
    assert clocks[0] != clocks[1]
    # What is off is the age of what they send: they say so, and nothing else is.
    for worker, way in zip(shifted, ("behind", "ahead of"), strict=True):
        assert re.search(f"the clock of this machine is (1h|60m) {way} the server's", worker.errors)
    with flowing(load):
        wait_until(load.more(60), 60)
        assert load.session.counters()["redelivered"] == 0
        for worker in shifted:
            worker.kill()
            site.worker(lease=1.0).ready()
            wait_until(load.more(30), 60)
    check(load)
    assert load.refused == []


def told_hour(worker: Program) -> str:
    """The hour in which a worker wrote its first line."""
    return worker.errors.split()[1].partition(":")[0]


def idle_branches(site: Site, session: Session, count: int) -> list[str]:
    """Create branches as `create_branch` does, many at once."""
    script = """
    for n = ARGV[1], ARGV[2] do
      local id = string.format('00000000-0000-7000-8000-%012d', n)
      redis.call('HSET', KEYS[1] .. ':b:' .. id, 'id', id, 'session', ARGV[3], 'name', '', 'pool', 'p',
        'behaviour', 'echo', 'state', 'open', 'cursor', '0-0', 'version', 0)
      redis.call('ZADD', KEYS[1] .. ':branches', n + 100, id)
    end
    """
    with site.server.client() as client:
        for first in range(0, count, 10_000):
            last = min(count, first + 10_000) - 1
            client.eval(script, 1, f"{site.root}s:{session.id}", first, last, session.id)
    return [f"00000000-0000-7000-8000-{number:012d}" for number in range(count)]


def done(site: Site) -> Counter[str]:
    """How often the server has done each command, those within functions included; those of who asks here left out."""
    calls: Counter[str] = Counter()
    for name, count in site.server.info("commandstats").items():
        calls[name.removeprefix("cmdstat_").partition("|")[0]] += int(count["calls"])
    for name in ASKING:
        del calls[name]
    return calls


def polls(site: Site) -> int:
    """How often somebody has asked for ready branches."""
    return site.server.calls("xreadgroup")


def test_idle_branches_ask_for_nothing(site: Site) -> None:
    """With very many of them a worker at rest asks as often as with none, and finds the few that get mail."""
    with Session(exchange=site.connect(), delivery="auto", timeout=60) as session:
        worker = limited(site, "RLIMIT_NOFILE", 40)
        # The first of them finds no group to read with, and does not wait.
        wait_until(lambda: polls(site) >= 2, 60)
        few = at_rest(site)
        names = idle_branches(site, session, IDLE)
        assert at_rest(site).like(few)
        before = int(site.server.info("stats")["total_connections_received"])
        chosen = names[:: IDLE // 100]
        for name in chosen:
            session.default_branch.send(name, "message", "wake up")
        wait_until(
            lambda: session.default_branch.receive_all() or len(session.default_branch.messages) >= len(chosen), 60
        )
        assert int(site.server.info("stats")["total_connections_received"]) - before < 20
        assert at_rest(site).like(few)
        assert worker.alive
        assert "Too many open files" not in worker.errors


@dataclass(frozen=True)
class Rest:
    """What a server does while a worker asks three times for ready branches and gets none."""

    calls: float
    """Of functions: by clocks, of which a machine that stands still stops some and not others."""
    each: float
    """Commands that a call of a function is made of; that does not hang on any clock."""

    def like(self, few: Rest) -> bool:
        """Whether it costs what it did before there were idle branches, and no call for even a hundredth of them."""
        return self.each <= 2 * few.each and self.calls <= 2 * few.calls + IDLE / 100


def at_rest(site: Site) -> Rest:
    """What the server does for a worker that has nothing to do."""
    before = done(site)
    # The sweeper's look and the heartbeat are among it, also where the machine lets them wait.
    wait_until(lambda: polls(site) >= before["xreadgroup"] + 3 and calls(done(site) - before) >= 10, 60)
    passed = done(site) - before
    return Rest(calls(passed) * 3 / passed["xreadgroup"], passed.total() / calls(passed))


def calls(done: Counter[str]) -> int:
    """How many of some commands were calls of functions."""
    return done["fcall"] + done["fcall_ro"]


def test_a_small_memory() -> None:
    """A backlog that would not fit into a worker's memory is drained, for it takes no more at once than fits."""
    text, mails, memory = "x" * 200_000, 400, 90 << 20
    assert mails * len(text) > memory * 3 // 4
    with (
        own_site(appendfsync="everysec") as site,
        Session(exchange=site.connect(), delivery="auto", timeout=60) as session,
    ):
        branch = session.new_branch(name="branch", pool="p")
        body = encode_json({"item": Instruction.create(instruction=text).to_dict()}, "item")
        for number in range(1, mails + 1):
            mail = WireMail(Header(session.id, session.default_branch.id, branch.id, "message"), body)
            session.exchange.call(Post(session.id, "other", number, (mail,)))
        worker = limited(site, "RLIMIT_DATA", memory)
        session.wait_idle()
        assert session.counters()["applied"] == mails
        assert session.dead_letters == []
        assert worker.alive
        assert "MemoryError" not in worker.errors
