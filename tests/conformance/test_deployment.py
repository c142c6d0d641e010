"""The register of workers, the pools with what waits in them, and the counters of all sessions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from lion_broker.broker.exchange import RedisExchange
from lion_broker.errors import BrokerError, ConfigError
from lion_broker.mail.deployment import Due, Order, PoolRecord, Tally, WorkerPhase, WorkerReport
from lion_broker.mail.exchange import Exchange
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import Deferral
from lion_broker.mail.verbs import (
    CountMail,
    Enrol,
    OrderWorkers,
    Post,
    ReadDue,
    ReadPools,
    ReadReady,
    ReadWorkers,
    SetWanted,
    Sweep,
    Tidy,
    Verb,
)
from lion_broker.testing import wait_until
from tests.conformance.road import Road
from tests.conformance.servers import SECRET, Server

ADA = WorkerReport("home:1:a", "p", WorkerPhase.RUNNING, "home", 1, "0.1.0", 2, 1e9, 2500, 100, 3, 20, 30, 4)
BEN = replace(ADA, owner="home:2:b", pid=2, pool="q")


def enrolled(exchange: Exchange) -> dict[str, WorkerReport]:
    """Who is in the register."""
    return {one.report.owner: one.report for one in exchange.call(ReadWorkers()).workers}


def pools(exchange: Exchange) -> dict[str, PoolRecord]:
    """The pools by their names."""
    return {one.pool: one for one in exchange.call(ReadPools())}


def counted(exchange: Exchange, page: int = 500) -> Iterator[Tally]:
    """The counters of all sessions."""
    start = 0
    while found := exchange.call(CountMail(start, page)):
        yield from found
        start += page


def test_a_worker_is_enrolled_with_its_newest_report(exchange: Exchange) -> None:
    """A second report replaces the first, and the register says when it was heard."""
    assert exchange.call(ReadWorkers()).workers == ()
    exchange.call(Enrol(ADA))
    newer = replace(ADA, turns=21, state=WorkerPhase.DRAINING)
    assert exchange.call(Enrol(newer)) == Order.NONE
    exchange.call(Enrol(BEN))
    roll = exchange.call(ReadWorkers())
    assert enrolled(exchange) == {ADA.owner: newer, BEN.owner: BEN}
    assert all(0 <= roll.now - one.heard < 60_000 for one in roll.workers)


def test_who_is_not_heard_of_is_forgotten(exchange: Exchange) -> None:
    """An entry leaves when its time is over, with nobody's help; others stay."""
    exchange.call(Enrol(ADA))
    exchange.call(Enrol(BEN, keep_ms=20))
    wait_until(lambda: set(enrolled(exchange)) == {ADA.owner})
    exchange.call(Enrol(ADA))
    assert exchange.call(OrderWorkers((BEN.owner,))) == (Outcome.UNKNOWN,)


def test_of_too_many_those_that_leave_first_go(exchange: Exchange) -> None:
    """A register that programs fill without end keeps about a thousand."""
    verbs = [Enrol(replace(ADA, owner=f"home:{place}:x"), keep_ms=100_000 + 1000 * place) for place in range(1010)]
    exchange.call_all(verbs)
    found = exchange.call(ReadWorkers(count=2000)).workers
    assert len(found) == 1000
    assert {one.report.owner for one in found} == {f"home:{place}:x" for place in range(10, 1010)}
    assert [one.report.owner for one in exchange.call(ReadWorkers(count=2)).workers] == ["home:1009:x", "home:1008:x"]


def test_an_order_comes_with_the_next_heartbeat(exchange: Exchange) -> None:
    """Only the worker that it is for learns it, and as often as it asks."""
    exchange.call_all([Enrol(ADA), Enrol(BEN)])
    assert exchange.call(OrderWorkers((ADA.owner, "nobody"))) == (Outcome.OK, Outcome.UNKNOWN)
    assert [exchange.call(Enrol(one)) for one in (ADA, BEN, ADA)] == [Order.DRAIN, Order.NONE, Order.DRAIN]
    assert {one.report.owner: one.order for one in exchange.call(ReadWorkers()).workers} == {
        ADA.owner: Order.DRAIN,
        BEN.owner: Order.NONE,
    }


def test_somebody_says_goodbye_in_a_workers_place(exchange: Exchange) -> None:
    """It is forgotten at once; should it be heard of again, it is there again, with its order if it had one."""
    exchange.call_all([Enrol(ADA), Enrol(BEN), OrderWorkers((BEN.owner,))])
    exchange.call_all([Enrol(replace(one, state=WorkerPhase.STOPPED), keep_ms=1) for one in (ADA, BEN)])
    wait_until(lambda: enrolled(exchange) == {})
    assert exchange.call(Enrol(BEN)) is Order.DRAIN
    assert enrolled(exchange) == {BEN.owner: BEN}


def test_a_pool_says_what_waits_and_what_is_taken(exchange: Exchange, auto: Road) -> None:
    """Branches with mail wait until a worker reads them; then it has them until they are handed back."""
    for name in ("ada", "ben", "cleo"):
        auto.pooled(name)
    assert pools(exchange) == {}
    for name in ("ada", "ben", "cleo"):
        auto.say(auto.session, name, 1)
    assert (pools(exchange)[auto.pool].ready, pools(exchange)[auto.pool].claimed) == (3, 0)
    wait_until(lambda: pools(exchange)[auto.pool].oldest_ms > 0)
    (entry,) = auto.ready(count=1)
    claimed = auto.claim(entry.branch, "token", entry.id)
    assert (pools(exchange)[auto.pool].ready, pools(exchange)[auto.pool].claimed) == (2, 1)
    auto.commit(entry.branch, "token", claimed)
    assert (pools(exchange)[auto.pool].ready, pools(exchange)[auto.pool].claimed) == (2, 0)
    auto.ready(count=2)
    assert pools(exchange)[auto.pool] == PoolRecord(auto.pool, ready=0, claimed=2)


def test_a_pool_is_listed_while_workers_are_wanted_for_it(exchange: Exchange) -> None:
    """Also when it has no branch yet, and until nobody says so any more."""
    exchange.call_all([SetWanted("r", 3), SetWanted("p", 0)])
    assert {name: one.wanted for name, one in pools(exchange).items()} == {"p": 0, "r": 3}
    assert [one.pool for one in exchange.call(ReadPools(count=1))] in (["p"], ["r"])
    exchange.call(SetWanted("r", None))
    assert {name: one.wanted for name, one in pools(exchange).items()} == {"p": 0}


def test_mail_is_counted_for_every_session(exchange: Exchange, open_road: Callable[..., Road]) -> None:
    """Page by page, with the counters that reading a session gives."""
    roads = [open_road(delivery="auto") for _ in range(5)]
    roads[3].pooled("ada")
    roads[3].say(roads[3].session, "ada", 1)
    found = list(counted(exchange, page=2))
    assert {one.session for one in found} == {road.session for road in roads}
    assert len(found) == 5
    (busy,) = (one for one in found if one.session == roads[3].session)
    record = roads[3].record()
    assert {name: getattr(busy, name) for name in record.counters} == record.counters
    assert (busy.branches, busy.posted, busy.inflight) == (1, 1, 1)


def test_what_is_due_later_is_counted(exchange: Exchange, auto: Road) -> None:
    """Branches that wait for a moment, and the mails among theirs that are to be tried again."""
    assert exchange.call(ReadDue()) == Due()
    auto.pooled("ada", "ben")
    auto.say("cleo", "ada", 1, 2)
    stand = auto.take("ada")
    first, second = (entry.id for entry in stand.entries)
    deferred = (Deferral(first, "cleo", 60_000, 1), Deferral(second, "cleo"))
    auto.commit("ada", "t1", stand, deferred=deferred, handled=0)
    assert exchange.call(ReadDue()) == Due(1, 2)
    auto.post(auto.mail("cleo", "ben", 3, delay_ms=60_000))
    assert exchange.call(ReadDue()) == Due(2, 2)


SENSELESS: list[Verb[Any]] = [
    Enrol(replace(ADA, owner="")),
    Enrol(replace(ADA, owner="x" * 513)),
    Enrol(replace(ADA, pool="a pool")),
    Enrol(ADA, keep_ms=0),
    OrderWorkers(("",)),
    ReadWorkers(count=0),
    ReadPools(count=0),
    SetWanted("a pool", 1),
    SetWanted("p", -1),
    SetWanted("p", True),
    CountMail(-1),
    CountMail(0, 0),
    ReadDue(0),
]


@pytest.mark.parametrize("number", range(len(SENSELESS)))
def test_senseless_questions_are_refused(exchange: Exchange, number: int) -> None:
    """They say what is wrong before anything is asked."""
    with pytest.raises(ConfigError):
        exchange.call(SENSELESS[number])


@pytest.mark.redis
def test_what_partitions_say_is_put_together(valkey_server: Server) -> None:
    """A namespace of several partitions has one register, one list of pools, and all of its sessions."""
    with RedisExchange(valkey_server.url, SECRET, namespace=f"ns-{uuid4().hex}", partitions=4) as exchange:
        roads = [Road(exchange, "auto", pool="shared").open() for _ in range(12)]
        for road in roads:
            road.pooled("ada")
            road.say(road.session, "ada", 1)
        exchange.call_all([Enrol(replace(ADA, pool="shared")), SetWanted("shared", 2)])
        exchange.call(Post(roads[0].session, "late", 1, (roads[0].mail("x", "ada", delay_ms=60_000),)))
        (pool,) = exchange.call(ReadPools())
        assert (pool.pool, pool.ready, pool.wanted) == ("shared", 12, 2)
        assert {one.session for one in counted(exchange, page=2)} == {road.session for road in roads}
        assert exchange.call(ReadDue()) == Due(1, 0)
    valkey_server.empty()


def test_who_holds_a_ready_entry_stays_when_readers_are_forgotten(exchange: Exchange) -> None:
    """What it holds is not lost with it; and who has been forgotten reads on as before."""
    road = Road(exchange, pool="p").open()
    road.pooled("far", "near")
    road.say(road.session, "far", "one")
    at = road.take("far")
    exchange.call(Tidy("p", 0))
    assert road.commit("far", "t1", at).outcome is Outcome.DRAINED
    road.say(road.session, "near", "two")
    entry = road.entry("near", owner="reader")
    exchange.call_all([Tidy("p", 0), Tidy("nobody-reads-here", 0)])
    assert exchange.call(Sweep("p", 0)).renewed == 1
    assert entry != road.entry("near", owner="other")


@pytest.mark.redis
def test_readers_that_are_gone_are_forgotten(valkey_server: Server) -> None:
    """Those that hold nothing, a bounded number at once; a server keeps them for ever else."""
    with RedisExchange(valkey_server.url, SECRET, namespace="tidy") as exchange:
        key = "lion:{tidy:0}:ready:p"

        def readers() -> set[str]:
            return {reader["name"].decode() for reader in valkey_server.client.xinfo_consumers(key, "workers")}

        road = Road(exchange, pool="p").open()
        road.pooled("far")
        road.say(road.session, "far", "one")
        road.entry("far", owner="holds")
        for number in range(5):
            road.ready(f"gone {number}")
        exchange.call(Tidy("p"))
        assert len(readers()) == 6
        exchange.call(Tidy("p", 0, 3))
        assert len(readers()) == 3
        exchange.call(Tidy("p", 0))
        assert readers() == {"holds"}
    valkey_server.empty()


def test_a_forgotten_pool_is_there_again_when_it_is_needed(exchange: Exchange) -> None:
    """Whatever was forgotten: a branch of it gets its worker, is counted, and a number that is wanted stays."""
    road = Road(exchange, pool="p").open()
    road.pooled("far")
    exchange.call_all([SetWanted("q", 3), Tidy("p", 0), Tidy("elsewhere", 0)])
    assert [(one.pool, one.wanted) for one in exchange.call(ReadPools())] == [("q", 3)]
    for word in ("one", "two"):
        road.say(road.session, "far", word)
        assert [(one.pool, one.ready) for one in exchange.call(ReadPools())] == [("p", 1), ("q", 0)]
        exchange.call(Tidy("elsewhere", 0))
        at = road.take("far", f"t-{word}")
        exchange.call(Tidy("elsewhere", 0))
        assert road.commit("far", f"t-{word}", at).outcome is Outcome.DRAINED
        exchange.call_all([Tidy("elsewhere", 0), Tidy("p", 0)])
    exchange.call_all([SetWanted("q", None), Tidy("elsewhere", 0)])
    assert exchange.call(ReadPools()) == ()


@pytest.mark.redis
def test_pools_that_have_nothing_are_forgotten(valkey_server: Server) -> None:
    """Their streams too, a bounded number at once; not those with a reader that was there lately, or with work."""
    with RedisExchange(valkey_server.url, SECRET, namespace="pools") as exchange:
        client, root = valkey_server.client, "lion:{pools:0}:"

        def pools() -> set[str]:
            return {name.decode() for name in client.hkeys(f"{root}pools")}

        road = Road(exchange, pool="busy").open()
        road.pooled("far")
        road.say(road.session, "far", "one")
        for number in range(5):
            exchange.call_all([ReadReady(f"old-{number}", "gone", 1), Tidy(f"old-{number}")])
        exchange.call(SetWanted("wanted", 1))
        exchange.call(Tidy("mine"))
        assert pools() == {"busy", "wanted", *(f"old-{number}" for number in range(5))}
        exchange.call(Tidy("mine", 0, 2))
        assert len(pools()) >= 5
        exchange.call(Tidy("mine", 0))
        assert pools() == {"busy", "wanted"}
        assert [key.decode() for key in client.scan_iter(f"{root}ready:*")] == [f"{root}ready:busy"]
        exchange.call(ReadReady("old-0", "again", 1))
        exchange.call(Tidy("old-0"))
        assert pools() == {"busy", "wanted", "old-0"}
        client.set(f"{root}ready:wanted", "no stream")
        exchange.call_all([SetWanted("wanted", None), Tidy("mine", 0)])
        assert client.get(f"{root}ready:wanted") == b"no stream"
    valkey_server.empty()


@pytest.mark.redis
def test_reports_of_other_versions_and_strangers_do_no_harm(valkey_server: Server) -> None:
    """What a later version adds is passed over; what is no report, or no register, is not shown."""
    with RedisExchange(valkey_server.url, SECRET, namespace="strange") as exchange:
        exchange.call_all([Enrol(ADA), Enrol(BEN)])
        workers, key = valkey_server.client, "lion:{strange:0}:workers"
        later = workers.hget(key, f"report:{ADA.owner}").replace(b"{", b'{"shoe_size": 44, ', 1)
        workers.hset(key, mapping={f"report:{ADA.owner}": later, f"report:{BEN.owner}": "no report"})
        workers.hset(key, f"order:{ADA.owner}", "dance")
        assert enrolled(exchange) == {ADA.owner: ADA}
        assert exchange.call(Enrol(ADA)) == Order.NONE
        for name in ("workers", "heartbeats", "pools", "sessions", "due"):
            workers.set(f"lion:{{strange:0}}:{name}", "something else")
        assert exchange.call(ReadWorkers()).workers == ()
        assert (exchange.call(ReadPools()), exchange.call(CountMail()), exchange.call(ReadDue())) == ((), (), Due())
        with pytest.raises(BrokerError, match="nothing was changed"):
            exchange.call(Enrol(ADA))
    valkey_server.empty()
