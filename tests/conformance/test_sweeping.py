"""Sweeping: abandoned entries go to others, living leases are left, any number of sweepers may run."""

from concurrent.futures import ThreadPoolExecutor

from lion_broker.mail.answers import Swept
from lion_broker.mail.exchange import Exchange
from lion_broker.mail.verbs import ReadReady, Sweep
from tests.conformance.road import Road, texts, wait_until


def test_nothing_is_swept_where_nothing_was_read(auto: Road) -> None:
    """Entries that no worker has read yet are nobody's to abandon; an unknown pool is empty."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1)
    assert auto.sweep() == Swept()
    assert auto.call(Sweep("pool-of-nobody")) == Swept()
    assert auto.call(ReadReady("pool-of-nobody", "worker", 1)) == ()
    assert len(auto.ready()) == 1


def test_an_entry_that_was_read_and_never_claimed_goes_to_others(auto: Road) -> None:
    """A worker that dies between reading and claiming loses nothing."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1, 2)
    old = auto.entry("ada", "lost worker")
    assert auto.sweep() == Swept(seen=1, dropped=0, renewed=1)
    new = auto.entry("ada", "worker")
    assert new != old
    claimed = auto.claim("ada", "t1", new)
    assert (texts(claimed.entries), claimed.attempts) == ([1, 2], 1)


def test_a_living_lease_is_left_alone(auto: Road) -> None:
    """The entry of an owner that is alive stays its own."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1)
    claimed = auto.take("ada")
    assert auto.sweep() == Swept(seen=1, dropped=0, renewed=0)
    assert auto.ready() == ()
    auto.commit("ada", "t1", claimed)
    assert auto.sweep() == Swept()


def test_a_lease_that_is_over_is_swept(auto: Road) -> None:
    """The entry of an owner that did not renew goes to others, once."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1)
    auto.take("ada", "t1", lease_ms=1)
    auto.give_away()
    assert auto.sweep() == Swept()
    assert [ready.branch for ready in auto.ready()] == ["ada"]


def test_patience_is_kept(auto: Road) -> None:
    """Entries that were read only just now are not looked at."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1)
    auto.entry("ada")
    assert auto.sweep(idle_ms=60_000) == Swept()
    swept = wait_until(lambda: swept if (swept := auto.sweep(idle_ms=20)).seen else None)
    assert swept.renewed == 1


def test_a_sweep_is_bounded_work(auto: Road) -> None:
    """At most `limit` entries are looked at, and in the end all of them have been."""
    names = ["a", "b", "c", "d", "e"]
    auto.pooled(*names)
    for name in names:
        auto.say("x", name, 1)
    assert len(auto.ready()) == 5
    assert [auto.sweep(limit=2).renewed for _ in range(4)] == [2, 2, 1, 0]
    assert sorted(ready.branch for ready in auto.ready()) == names


def test_living_owners_hide_no_lost_one(auto: Road) -> None:
    """With more living owners than one call looks at, an abandoned entry behind them is still found."""
    names = ["a", "b", "c", "lost"]
    auto.pooled(*names)
    for name in names:
        auto.say("x", name, 1)
    for ready in auto.ready():
        if ready.branch != "lost":
            auto.claim(ready.branch, "t1", ready.id, lease_ms=60_000)
    wait_until(lambda: auto.sweep(idle_ms=200, limit=1).renewed)
    assert [ready.branch for ready in auto.ready()] == ["lost"]


def test_many_sweepers_give_each_entry_away_once(exchange: Exchange, auto: Road) -> None:
    """However many sweep at once, every abandoned branch is ready exactly once afterwards."""
    names = [f"branch-{number}" for number in range(20)]
    auto.pooled(*names)
    for name in names:
        auto.say("x", name, 1)
    assert len(auto.ready("lost worker", 100)) == 20
    with ThreadPoolExecutor(6) as sweepers:
        answers = [sweeper.result() for sweeper in [sweepers.submit(auto.sweep, limit=50) for _ in range(12)]]
    assert sum(answer.renewed for answer in answers) == 20
    assert sorted(ready.branch for ready in auto.ready()) == sorted(names)


def test_a_pool_is_swept_for_all_its_sessions(exchange: Exchange) -> None:
    """One call looks at the branches of every session that uses the pool, and at no other pool's."""
    one = Road(exchange).open()
    two = Road(exchange, pool=one.pool).open()
    other = Road(exchange).open()
    for road in (one, two, other):
        road.pooled("ada")
        road.say("x", "ada", road.session)
        road.ready(count=1)
    assert one.sweep() == Swept(seen=2, renewed=2)
    assert {ready.session for ready in one.ready()} == {one.session, two.session}
    assert other.sweep() == Swept(seen=1, renewed=1)
