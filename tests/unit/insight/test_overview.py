"""A deployment at one look, and the rates that two looks give."""

from dataclasses import replace

import pytest

from lion_broker import Session
from lion_broker.insight import unreceived
from lion_broker.insight.overview import LOST, Overview, overview_steps, rates, worker_views
from lion_broker.insight.unreceived import unreceived_in_steps, unreceived_steps
from lion_broker.mail.deployment import Enrolled, Roll, Tally, WorkerPhase, WorkerReport
from lion_broker.mail.exchange import Steps, run
from lion_broker.mail.memory import MemoryExchange
from lion_broker.mail.verbs import Enrol, ReadBranches, ReadSession, SetWanted

ADA = WorkerReport("home:1:a", "p", WorkerPhase.RUNNING, "home", 1, "0.1.0", 2, 1e9, 2500, 100, 3, 20, 30, 4)


def look(at: float, *tallies: Tally) -> Overview:
    """An overview of some sessions."""
    return Overview(at, (), (), tallies)


@pytest.mark.parametrize(
    ("state", "silent_ms", "shown"),
    [
        (WorkerPhase.RUNNING, 10_000, "running"),
        (WorkerPhase.RUNNING, 10_001, LOST),
        (WorkerPhase.DRAINING, 10_001, LOST),
        (WorkerPhase.STOPPED, 50_000, "stopped"),
    ],
)
def test_a_worker_is_lost_when_four_heartbeats_are_missing(state: WorkerPhase, silent_ms: int, shown: str) -> None:
    """One that has said that it stops is not missed."""
    now = 2_000_000_000_000
    (picture,) = worker_views(Roll(now, (Enrolled(replace(ADA, state=state), now - silent_ms),)))
    assert (picture.state, picture.owner, picture.concurrency, picture.heard) == (
        shown,
        ADA.owner,
        100,
        (now - silent_ms) / 1000,
    )


@pytest.mark.parametrize(
    ("late_ms", "state", "silent_ms", "seconds", "behind"),
    [
        (25, WorkerPhase.RUNNING, 0, 0.025, True),
        (9, WorkerPhase.DRAINING, 0, 0.009, False),
        (None, WorkerPhase.RUNNING, 0, None, False),
        (25, WorkerPhase.RUNNING, 60_000, None, False),
        (25, WorkerPhase.STOPPED, 0, None, False),
    ],
)
def test_a_worker_says_how_late_its_event_loop_is(
    late_ms: int | None, state: WorkerPhase, silent_ms: int, seconds: float | None, behind: bool
) -> None:
    """Of one that is gone, or of a version that did not say so, it is not known."""
    now = 2_000_000_000_000
    report = replace(ADA, state=state, late_ms=late_ms)
    (picture,) = worker_views(Roll(now, (Enrolled(report, now - silent_ms),)))
    assert (picture.late_seconds, picture.is_behind) == (seconds, behind)


def test_workers_stand_by_pool_and_state() -> None:
    """Those that run come first, the oldest of them at the top; the lost are last."""
    now = 2_000_000_000_000
    reports = [
        (replace(ADA, owner="lost"), now - 60_000),
        (replace(ADA, owner="new", started=3e9), now),
        (replace(ADA, owner="stopped", state=WorkerPhase.STOPPED), now),
        (replace(ADA, owner="old"), now),
        (replace(ADA, owner="other", pool="a"), now),
    ]
    found = worker_views(Roll(now, tuple(Enrolled(report, heard) for report, heard in reports)))
    assert [one.owner for one in found] == ["other", "old", "new", "stopped", "lost"]


def test_one_look_puts_everything_together() -> None:
    """Sums over all sessions, pools with who serves them, and the sessions with most mail first."""
    exchange = MemoryExchange()
    idle = replace(ADA, owner="home:2:b", state=WorkerPhase.DRAINING)
    exchange.call_all([Enrol(ADA), Enrol(idle), SetWanted("p", 5)])
    sessions = [Session(exchange=exchange, delivery="auto") for _ in range(3)]
    for place, session in enumerate(sessions):
        branch = session.new_branch(pool="p", behaviour="note")
        for _ in range(place):
            session.default_branch.send(branch, "message", "hello")
    seen = run(exchange, overview_steps())
    assert (seen.sessions, seen.branches, seen.posted, seen.inflight, seen.applied, seen.waiting) == (3, 6, 3, 3, 0, 2)
    (pool,) = seen.pools
    assert (pool.ready, pool.claimed, pool.workers, pool.capacity, pool.wanted) == (2, 0, 1, 100, 5)
    assert [tally.session for tally in seen.busiest(5)] == [sessions[2].id, sessions[1].id]
    part = run(exchange, overview_steps(limit=2))
    assert (part.sessions, part.more, seen.more) == (2, True, False)
    for session in sessions:
        session.close()


def test_mail_in_inboxes_is_found_where_it_can_be() -> None:
    """It has no counter: sessions in which more was delivered than was applied are asked, and no others."""
    exchange = MemoryExchange()
    sessions = [Session(exchange=exchange, delivery="auto") for _ in range(4)]
    for place, session in enumerate(sessions):
        ada = session.new_branch(name="ada")
        with session.batch():
            for _ in range(place):
                session.default_branch.send(ada, "message", "hello")
    sessions[1].get_branch("ada").receive_all()
    sessions[1].flush()
    seen = run(exchange, overview_steps())
    assert (seen.inflight, seen.inboxes, seen.busiest(5)) == (0, {}, [])
    asked: list[str] = []

    def looks(steps: Steps[Overview]) -> Overview:
        verbs, answers = next(steps), None
        while True:
            asked.extend(verb.session for verb in verbs if isinstance(verb, ReadBranches))
            answers = exchange.call_all(verbs)
            try:
                verbs = steps.send(answers)
            except StopIteration as done:
                found: Overview = done.value
                return found

    seen = looks(unreceived_steps(seen))
    assert seen.inboxes == {sessions[2].id: 2, sessions[3].id: 3}
    assert (seen.unreceived, seen.unseen) == (5, 0)
    assert [tally.session for tally in seen.busiest(5)] == [sessions[3].id, sessions[2].id]
    assert asked == [sessions[3].id] * 2 + [sessions[2].id] * 2
    for session in sessions:
        session.close()


def test_of_very_many_branches_some_inboxes_are_not_looked_at() -> None:
    """Those of the sessions with least, and how many is said."""
    exchange = MemoryExchange()
    tallies = [Tally(f"s-{number}", branches=2000, posted=number) for number in range(6)]
    seen = run(exchange, unreceived_steps(look(1.0, *tallies)))
    assert (seen.unseen, seen.inboxes) == (3, {})
    huge = run(exchange, unreceived_steps(look(1.0, Tally("s", branches=10**6, posted=1))))
    assert huge.unseen == 0


def test_of_one_session_what_is_not_received_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is read where nothing can wait; of a session with too many branches nobody knows."""
    exchange = MemoryExchange()

    def not_received(session: Session) -> int | None:
        record = exchange.call(ReadSession(session.id))
        assert record is not None
        return run(exchange, unreceived_in_steps(record))

    with Session(exchange=exchange, delivery="auto") as session:
        assert not_received(session) == 0
        ada = session.new_branch(name="ada")
        session.default_branch.send(ada, "message", "one")
        ada.send(session.default_branch, "message", "two")
        session.flush()
        assert not_received(session) == 2
        monkeypatch.setattr(unreceived, "_PAGE", 1)
        assert not_received(session) is None


def test_rates_are_what_has_grown() -> None:
    """Sessions that came count whole, those that went do not, and nothing ever runs backwards."""
    before = look(100.0, Tally("a", posted=10, applied=10, dead=4), Tally("gone", posted=500, applied=500))
    after = look(102.0, Tally("a", posted=30, applied=20, dead=1), Tally("new", posted=8, redelivered=2))
    found = rates(before, after)
    assert found is not None
    assert (found.seconds, found.posted, found.applied, found.redelivered, found.dead) == (2.0, 14.0, 5.0, 1.0, 0.0)
    assert rates(after, after) is None
    assert rates(after, before) is None
