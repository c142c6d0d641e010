"""The overflow: behind many ready branches a session lets those of others pass, and loses none of its own."""

from collections.abc import Callable
from dataclasses import replace

from lion_broker.mail.answers import Swept
from lion_broker.mail.exchange import Exchange
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import OVER, ReadyEntry
from lion_broker.mail.verbs import DeleteSession, Pause, ReadPools, SetWanted, Sweep, Tidy
from tests.conformance.road import Road, texts, wait_until

LONG = 32
SIDE = 4


def flooded(road: Road) -> Road:
    """The session, with as many branches ready as may stand in the ready stream, and three more."""
    make_ready(road, LONG + SIDE + 3)
    return road


def make_ready(road: Road, branches: int, name: str = "b") -> list[str]:
    """Create branches of the pool, each with two mails that wait."""
    names = [f"{name}{number}" for number in range(branches)]
    road.pooled(*names)
    road.post(*(road.mail("x", name, number) for name in names for number in (1, 2)))
    return names


def behind(found: tuple[ReadyEntry, ...]) -> list[str]:
    """The branches that were read from the overflow."""
    return [one.branch for one in found if one.id.startswith(OVER)]


def first_behind(road: Road) -> ReadyEntry:
    """Read everything; the first branch of the overflow."""
    return next(one for one in road.ready(count=1000) if one.id.startswith(OVER))


def test_others_pass(auto: Road, open_road: Callable[..., Road]) -> None:
    """Of many ready branches of one session the last ones stand behind the first one of another session."""
    flood = flooded(auto)
    other = open_road(pool=flood.pool)
    make_ready(other, 1)
    found = flood.ready(count=1000)
    assert behind(found) == ["b36", "b37", "b38"]
    assert [one.session for one in found[:-3]] == [flood.session] * (LONG + SIDE) + [other.session]


def test_each_branch_is_ready_once(auto: Road) -> None:
    """Wherever it stands, it is read by one worker, which gets so many of either stream."""
    flood = flooded(auto)
    first = flood.ready("one", count=2)
    rest = flood.ready("two", count=1000)
    assert [one.branch for one in first] == ["b0", "b1", "b36", "b37"]
    assert sorted(one.branch for one in first + rest) == sorted(flood.branches)
    assert flood.ready("three") == ()


def test_a_short_queue_has_no_overflow(auto: Road) -> None:
    """As long as few branches are ready they are read in the order in which they came to be."""
    names = make_ready(auto, LONG)
    found = auto.ready(count=1000)
    assert (behind(found), [one.branch for one in found]) == ([], names)


def test_what_was_read_is_in_nobodys_way(auto: Road) -> None:
    """When workers have read a session's branches of the ready stream, its next ones stand there again."""
    flood = flooded(auto)
    flood.ready(count=LONG + SIDE)
    make_ready(flood, SIDE + 1, "later")
    assert behind(flood.ready(count=1000)) == [f"later{SIDE}"]


def test_a_side_ends_when_its_first_was_read(auto: Road) -> None:
    """Those in front are read in order, so that the others will be next."""
    flood = flooded(auto)
    flood.ready(count=LONG)
    make_ready(flood, 1, "behind")
    assert behind(flood.ready(count=1)) == ["behind0"]
    make_ready(flood, 1, "before")
    assert behind(flood.ready(count=1000)) == []


def test_what_waits_in_line_at_a_worker_is_in_the_way(auto: Road) -> None:
    """A reader that has no seat for what it reads lets it wait; until it has claimed that, others may still pass."""
    flood = flooded(auto)
    found = flood.ready("busy", count=1000, seats=0)
    make_ready(flood, 1, "behind")
    assert behind(flood.ready()) == ["behind0"]
    first = found[LONG]
    assert flood.claim(first.branch, "t1", first.id).outcome is Outcome.OK
    make_ready(flood, 1, "before")
    assert behind(flood.ready()) == []


def test_it_hands_out_nothing(auto: Road) -> None:
    """Its reader may have seats for what comes first only."""
    flood = flooded(auto)
    flood.ready(count=1000, seats=0)
    flood.pooled("behind")
    flood.say("x", "behind", 1)
    (one,) = flood.ready(count=1, seats=1)
    assert (one.branch, one.id[:1], one.given) == ("behind", OVER, None)
    assert flood.claim(one.branch, "t1", one.id).outcome is Outcome.OK


def test_only_what_goes_first(auto: Road) -> None:
    """A reader may leave the overflow to others."""
    flood = flooded(auto)
    assert behind(flood.ready(count=1000, overflow=False)) == []
    assert behind(flood.ready()) == ["b36", "b37", "b38"]


def test_a_queue_that_was_worked_off_begins_anew(auto: Road) -> None:
    """So it does when they are gone, be there ever so many others."""
    flood = flooded(auto)
    for one in flood.ready(count=1000):
        flood.commit(one.branch, "t", flood.claim(one.branch, "t", one.id))
    assert flood.call(ReadPools()) == ()
    make_ready(flood, LONG + SIDE + 1, "later")
    assert behind(flood.ready(count=1000)) == [f"later{LONG + SIDE}"]


def test_a_session_has_a_side_in_each_pool(auto: Road) -> None:
    """Branches of another pool wait for other workers."""
    flood = flooded(auto)
    elsewhere = replace(flood, pool=f"{flood.pool}-2", branches=[])
    make_ready(elsewhere, LONG + SIDE, "far")
    assert behind(elsewhere.ready(count=1000)) == []


def test_a_turn_of_the_overflow(auto: Road) -> None:
    """It is claimed with the name that was read, takes its mails, and leaves nothing behind."""
    flood = flooded(auto)
    one = first_behind(flood)
    claimed = flood.claim(one.branch, "t1", one.id, batch=1)
    assert (claimed.outcome, texts(claimed.entries), claimed.attempts) == (Outcome.OK, [1], 1)
    assert flood.branch(one.branch).owner == "owner of t1"
    claimed = flood.commit(one.branch, "t1", claimed)
    assert texts(claimed.entries) == [2]
    assert flood.commit(one.branch, "t1", claimed).outcome is Outcome.DRAINED
    assert flood.sweep(limit=1000).seen == LONG + SIDE + 2
    assert one.branch not in [ready.branch for ready in flood.ready(count=1000)]


def test_only_its_own_entry_claims(auto: Road) -> None:
    """Neither that of another branch, nor the same id in the ready stream, and no such claim takes an entry away."""
    flood = flooded(auto)
    found = flood.ready(count=1000)
    one, two = [ready for ready in found if ready.id.startswith(OVER)][:2]
    assert flood.claim(two.branch, "t1", one.id).outcome is Outcome.GONE
    assert flood.claim(two.branch, "t1", two.id.removeprefix(OVER)).outcome is Outcome.GONE
    assert [flood.claim(ready.branch, "t1", ready.id).outcome for ready in (one, two)] == [Outcome.OK] * 2


def test_a_reader_that_dies(auto: Road) -> None:
    """Its branches go to others, and of the overflow as many are looked at as of the ready stream."""
    flood = flooded(auto)
    found = flood.ready("lost", count=1000)
    assert flood.sweep(limit=2) == Swept(seen=4, renewed=4)
    assert flood.sweep(limit=1000).renewed == len(found) - 4
    assert sorted(one.branch for one in flood.ready(count=1000)) == sorted(flood.branches)


def test_a_living_owner_is_left(auto: Road) -> None:
    """A sweep takes nothing from a lease, also when it looks again."""
    flood = flooded(auto)
    found = flood.ready(count=1000)
    one = next(ready for ready in found if ready.id.startswith(OVER))
    claimed = flood.claim(one.branch, "t1", one.id)
    for _ in range(2):
        flood.sweep(limit=1000)
    assert flood.commit(one.branch, "t1", claimed).outcome is Outcome.DRAINED


def test_handing_back(auto: Road) -> None:
    """What is released is ready for others at once."""
    flood = flooded(auto)
    one = first_behind(flood)
    flood.claim(one.branch, "t1", one.id)
    assert flood.release(one.branch, "t1") is Outcome.OK
    (again,) = flood.ready()
    assert (again.branch, again.id == one.id) == (one.branch, False)


def test_a_branch_that_closes_or_pauses(auto: Road) -> None:
    """A closed one is ready no more, and a paused one is not served."""
    flood = flooded(auto)
    *_, closed, paused = flood.branches
    flood.close(closed)
    assert flood.call(Pause(flood.session, paused, "a rest")) is Outcome.OK
    found = {one.branch: one for one in flood.ready(count=1000)}
    assert closed not in found
    assert flood.claim(paused, "t1", found[paused].id).outcome is Outcome.PAUSED
    assert flood.ready() == ()


def test_a_session_that_is_deleted(auto: Road) -> None:
    """It leaves nothing that is ready."""
    flood = flooded(auto)
    while flood.call(DeleteSession(flood.session, limit=100)):
        pass
    assert flood.ready() == ()
    assert flood.call(ReadPools()) == ()


def test_who_waits_is_counted(auto: Road) -> None:
    """Those of both streams, read and not."""
    flood = flooded(auto)
    assert [(one.ready, one.claimed) for one in flood.call(ReadPools())] == [(LONG + SIDE + 3, 0)]
    flood.ready(count=1)
    assert [(one.ready, one.claimed) for one in flood.call(ReadPools())] == [(LONG + SIDE + 1, 2)]
    while flood.ready(count=1000, overflow=False):
        pass
    # Nothing is left in front: how long the oldest has waited is told by those behind.
    wait_until(lambda: flood.call(ReadPools())[0].oldest_ms > 0)


def test_a_pool_with_an_overflow_is_not_forgotten(auto: Road) -> None:
    """Also when nothing is left in its ready stream, and nobody reads."""
    flood = flooded(auto)
    for branch in flood.branches[: LONG + SIDE]:
        flood.close(branch)
    flood.exchange.call_all([Tidy("elsewhere", 0), Tidy(flood.pool, 0)])
    assert [one.ready for one in flood.call(ReadPools())] == [3]
    assert behind(flood.ready()) == ["b36", "b37", "b38"]


def test_a_sweep_of_nothing(exchange: Exchange) -> None:
    """A pool that nobody has heard of has no overflow either."""
    exchange.call_all([SetWanted("p", 1)])
    assert exchange.call(Sweep("p", 0)) == Swept()
