"""Waiting for replicas, with a real primary and a real replica: what was answered outlives the primary."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.backoff import ConstantBackoff
from redis.exceptions import ConnectionError as NotYetThere
from redis.retry import Retry

from lion_broker import Branch, BrokerUnavailable, Mail, Registry, Session
from lion_broker.broker.exchange import RedisExchange
from lion_broker.broker.functions import FUNCTIONS
from lion_broker.broker.server_steps import _FLEETING
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.verbs import AwaitReply, ListSessions, Post
from lion_broker.testing import await_until, wait_until
from tests.conformance.road import Road
from tests.conformance.servers import SECRET, find_bundled, find_debian, free_port
from tests.conftest import RunningWorker
from tests.stage import short_folder

pytestmark = [pytest.mark.redis, pytest.mark.processes]

NOWHERE = ("127.0.0.1", 1)


class Node:
    """A server on a port of this machine."""

    def __init__(self, binary: Path, folder: Path, of: int = 0) -> None:
        folder.mkdir()
        self.port = free_port()
        following = ("--replicaof", f"127.0.0.1 {of}") if of else ()
        settings = ("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", "")
        words = [str(binary), *settings, "--appendonly", "yes", "--appendfsync", "always", "--repl-diskless-sync-delay"]
        self.process = subprocess.Popen([*words, "0", *following], stdout=subprocess.DEVNULL)
        retry = Retry(ConstantBackoff(0.02), 500)
        self.client: Any = Redis(port=self.port, retry=retry, retry_on_error=[NotYetThere])

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait()


class Pair:
    """A primary and its replica, in step."""

    def __init__(self, primary: Node, replica: Node) -> None:
        self.primary, self.replica = primary, replica

    def exchange(self, node: Node, replicas: int, patience: float = 30.0) -> RedisExchange:
        """An exchange at one of them; with little patience where replicas are not there and that is to be told."""
        return RedisExchange(f"redis://127.0.0.1:{node.port}", SECRET, replicas=replicas, patience=patience)

    def wait_until_in_step(self) -> None:
        """Wait until the replica has, and confirms, what the primary has."""
        wait_until(lambda: self.primary.client.info("replication").get("slave0", {}).get("state") == "online")
        with self.primary.client.pipeline(transaction=False) as pipe:
            wait_until(lambda: pipe.publish("in", "step").execute_command("WAIT", 1, 100).execute()[1] == 1)

    def part(self) -> None:
        """Cut the replica off; it keeps what it has."""
        self.replica.client.execute_command("REPLICAOF", *NOWHERE)
        wait_until(lambda: self.primary.client.info("replication")["connected_slaves"] == 0)

    def join(self) -> None:
        """Have the replica follow again."""
        self.replica.client.execute_command("REPLICAOF", "127.0.0.1", self.primary.port)
        self.wait_until_in_step()

    def fail_over(self) -> None:
        """Lose the primary, and have the replica take its place."""
        self.primary.kill()
        self.replica.client.execute_command("REPLICAOF", "NO", "ONE")


@contextmanager
def paired(binary: Path) -> Iterator[Pair]:
    """Run both for the length of a block."""
    with short_folder() as folder, ExitStack() as nodes:
        primary = Node(binary, folder / "p")
        nodes.callback(primary.kill)
        replica = Node(binary, folder / "r", primary.port)
        nodes.callback(replica.kill)
        for node in (primary, replica):
            nodes.callback(node.client.close)
        pair = Pair(primary, replica)
        pair.wait_until_in_step()
        yield pair


def post(road: Road, item: str = "hello") -> Post:
    """A first post of a producer of its own."""
    return Post(road.session, f"producer-{item}", 1, (road.mail("s", "reader", item),))


@pytest.fixture(
    params=[pytest.param(find_bundled, id="valkey"), pytest.param(find_debian, id="redis7", marks=pytest.mark.debian)]
)
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """A primary and its replica."""
    with paired(request.param()) as pair:
        yield pair


def test_the_profile_is_ha_only_for_who_waits(pair: Pair) -> None:
    """Replicas that nobody waits for promise nothing, and neither do those that are away."""
    with pair.exchange(pair.primary, 0) as careless, pair.exchange(pair.primary, 1) as careful:
        assert careless.call(ListSessions()) == careful.call(ListSessions()) == ()
        assert (careless.profile, careful.profile) == ("durable", "ha")
        pair.part()
        assert asyncio.run(careful.ainspect()) == "durable"


def test_what_was_answered_outlives_the_primary(pair: Pair) -> None:
    """Cut off from its replica, a post that waits is no success; without waiting it is, and is lost with it."""
    with (
        pair.exchange(pair.primary, 0) as careless,
        pair.exchange(pair.primary, 1) as careful,
        pair.exchange(pair.primary, 1, patience=0.2) as hasty,
    ):
        told, untold = Road(careful).open(), Road(careless).open()
        for road in (told, untold):
            road.pooled("reader")
            road.say("s", "reader", "kept")
        pair.wait_until_in_step()
        wait_until(lambda: pair.replica.client.dbsize() == pair.primary.client.dbsize())
        pair.part()
        untold.say("s", "reader", "lost")
        told.exchange = hasty
        with pytest.raises(BrokerUnavailable, match=r"on the primary at \S+ only: 0 of 1 replica confirmed .*safe"):
            told.say("s", "reader", "unknown")
    pair.fail_over()
    with pair.exchange(pair.replica, 0) as exchange:
        for road in (told, untold):
            road.exchange = exchange
            assert road.branch("reader").waiting == 1


def test_asking_again_is_safe(pair: Pair) -> None:
    """The same post, when the replica is there again, is the same mail, and is now on both."""
    with pair.exchange(pair.primary, 1) as exchange, pair.exchange(pair.primary, 1, patience=0.2) as hasty:
        road = Road(exchange).open()
        road.pooled("reader")
        pair.part()
        verb = post(road)
        with pytest.raises(BrokerUnavailable):
            hasty.call(verb)
        pair.join()
        assert exchange.call(verb).outcome is Outcome.DUPLICATE
        assert road.branch("reader").waiting == 1
    pair.fail_over()
    with pair.exchange(pair.replica, 0) as exchange:
        road.exchange = exchange
        assert road.branch("reader").waiting == 1


def test_patience_is_for_replicas_too(pair: Pair) -> None:
    """A replica that comes back within the patience is waited for, and reads need none."""
    with pair.exchange(pair.primary, 1, patience=30) as exchange:
        road = Road(exchange).open()
        road.pooled("reader")
        os.kill(pair.replica.process.pid, signal.SIGSTOP)
        verb = post(road)

        async def patiently() -> Any:
            posting = asyncio.ensure_future(exchange.acall(verb))
            try:
                await await_until(lambda: pair.primary.client.info("clients")["blocked_clients"] == 1)
                assert not posting.done()
                assert await asyncio.to_thread(exchange.call, ListSessions()) == (road.session,)
            finally:
                os.kill(pair.replica.process.pid, signal.SIGCONT)
            posted = await posting
            await exchange.aclose()
            return posted

        assert asyncio.run(patiently()).outcome is Outcome.OK


@pytest.mark.anyio
async def test_callers_wait_together(pair: Pair) -> None:
    """Of those who share a round trip each is told, and who has only read is told nothing bad."""
    with pair.exchange(pair.primary, 1) as exchange, pair.exchange(pair.primary, 1, patience=0.5) as hasty:
        road = Road(exchange).open()
        road.pooled("reader")
        posts = [post(road, str(number)) for number in range(50)]
        before = pair.primary.client.info("commandstats")["cmdstat_wait"]["calls"]
        posted = await asyncio.gather(*(exchange.acall(post) for post in posts))
        assert {one.outcome for one in posted} == {Outcome.OK}
        assert pair.primary.client.info("commandstats")["cmdstat_wait"]["calls"] - before < len(posts)
        pair.part()
        verbs = [*(post(road, str(number)) for number in range(50, 55)), ListSessions()]
        told = await asyncio.gather(*(hasty.acall(verb) for verb in verbs), return_exceptions=True)
        assert [type(one) for one in told[:-1]] == [BrokerUnavailable] * 5
        assert told[-1] == (road.session,)
        await hasty.aclose()
        await exchange.aclose()


@pytest.mark.anyio
async def test_a_wait_for_something_else_does_not_hide_it(pair: Pair) -> None:
    """A post that shares its call with a wait for replies is waited for as well."""
    with pair.exchange(pair.primary, 1) as exchange, pair.exchange(pair.primary, 1, patience=0.2) as hasty:
        road = Road(exchange).open()
        road.pooled("reader")
        reply = AwaitReply(road.session, "client", wait_ms=1)
        assert (await exchange.acall_all([post(road, "one"), reply]))[0].outcome is Outcome.OK
        pair.part()
        with pytest.raises(BrokerUnavailable, match="on the primary"):
            await hasty.acall_all([post(road, "two"), reply])
        await hasty.aclose()
        await exchange.aclose()


@pytest.mark.anyio
async def test_a_session_and_its_worker(pair: Pair, running_worker: RunningWorker) -> None:
    """All that they have been told is done, is with the replica when the primary is lost."""
    registry = Registry()
    registry.behaviour("echo")(echo)
    with pair.exchange(pair.primary, 1) as exchange:
        async with Session(exchange=exchange, delivery="auto") as session:
            remote = await session.anew_branch(name="remote", pool="p", behaviour="echo")
            async with running_worker(registry, exchange, pool="p"):
                for number in range(20):
                    await session.default_branch.asend(remote, "message", str(number))
                await session.await_idle()
            assert exchange.profile == "ha"
        await exchange.aclose()
    pair.fail_over()
    with pair.exchange(pair.replica, 0) as later, Session.open(session.id, exchange=later, host=True) as again:
        assert len(again.branches["remote"].messages) == 20
        again.default_branch.receive_all()
        assert len(again.default_branch.messages) == 20


async def echo(branch: Branch, mail: Mail) -> None:
    """Answer every mail."""
    branch.send(mail.sender, "message", "heard")


def test_what_needs_no_replica() -> None:
    """What a claim, a lease, a sweep or a budget has written comes by itself when it is lost; all other verbs wait."""
    assert {verb.__name__ for verb in FUNCTIONS if not issubclass(verb, _FLEETING)} >= {
        "Post",
        "Commit",
        "Dispatch",
        "Step",
        "Send",
    }
    assert set(_FLEETING) <= set(FUNCTIONS)


def test_a_replica_takes_no_mail(pair: Pair) -> None:
    """It may be about to become the primary, so it is asked again like a server that is away."""
    with pair.exchange(pair.replica, 0, patience=0) as exchange, pytest.raises(BrokerUnavailable, match="read only"):
        exchange.call(ListSessions())
