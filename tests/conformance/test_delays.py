"""Mail that is to be delivered later: it waits apart, counts from its acceptance, and comes in order of its time."""

import pytest

from lion_broker.mail.outcome import Outcome
from lion_broker.mail.verbs import Promote
from tests.conformance.road import Road, texts, wait_until


def post(road: Road, *items: object, delay_ms: int, recipient: str = "ada", sender: str = "ben") -> None:
    """Post delayed mail."""
    posted = road.post(*(road.mail(sender, recipient, item, delay_ms=delay_ms) for item in items))
    assert posted.outcome is Outcome.OK


def promoted(road: Road) -> int | None:
    """Let what is due go on; the ms until the next is due."""
    return road.call(Promote(road.session)).next_ms


def test_delayed_mail_waits_apart(auto: Road) -> None:
    """It is neither in the mailbox nor in flight, wakes nobody, and is counted."""
    auto.pooled("ada")
    post(auto, 1, delay_ms=60_000)
    record = auto.branch("ada")
    assert (record.waiting, record.delayed, auto.ready()) == (0, 1, ())
    assert (auto.counter("delayed"), auto.counter("inflight"), auto.counter("posted")) == (1, 0, 0)
    left = promoted(auto)
    assert left is not None
    assert 0 < left <= 60_000


def test_due_mail_is_delivered(auto: Road) -> None:
    """It comes into the mailbox and wakes the branch, in order of its time and of its acceptance."""
    auto.pooled("ada")
    delays = {"late": 400, "soon": 200, "too": 200, "at once": 0}
    # In one post, so that all delays begin at the same moment.
    posted = auto.post(*(auto.mail("ben", "ada", item, delay_ms=delay) for item, delay in delays.items()))
    assert posted.outcome is Outcome.OK
    wait_until(lambda: promoted(auto) is None)
    assert texts(auto.take("ada").entries) == ["at once", "soon", "too", "late"]
    assert (auto.counter("delayed"), auto.counter("inflight")) == (0, 4)


def test_due_mail_of_a_local_branch_comes_into_its_inbox(auto: Road) -> None:
    """No worker is needed for it."""
    auto.local("ada")
    post(auto, 1, delay_ms=1)
    wait_until(lambda: promoted(auto) is None)
    assert texts(auto.inbox("ada")) == [1]


def test_much_that_is_due_comes_in_pieces(auto: Road) -> None:
    """What a call has not come to is due at once for the next."""
    auto.local("ada")
    post(auto, *range(150), delay_ms=200)
    came = wait_until(lambda: auto.inbox("ada") if promoted(auto) is None else ())
    assert texts(came) == list(range(150))


def test_a_turn_may_send_delayed_mail(auto: Road) -> None:
    """A branch that writes to itself later is at rest until then."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1)
    again = auto.mail("ada", "ada", 2, delay_ms=1)
    assert auto.commit("ada", "t1", auto.take("ada"), mails=(again,)).outcome is Outcome.DRAINED
    wait_until(lambda: promoted(auto) is None)
    assert texts(auto.take("ada", "t2").entries) == [2]


@pytest.mark.parametrize("collected", [True, False], ids=["collected", "uncollected"])
def test_the_delay_counts_while_mail_waits_for_a_round(manual: Road, collected: bool) -> None:
    """What is due when it is sent is delivered at once; the rest waits at its recipient."""
    manual.pooled("ada")
    manual.local("ben", "cleo")
    post(manual, "soon", delay_ms=1)
    post(manual, "late", delay_ms=60_000)
    if collected:
        manual.collect()
    manual.say("cleo", "cleo", "time passes")
    wait_until(lambda: manual.call(Promote(manual.session)).now - _accepted(manual) > 2)
    moved = manual.send()
    assert (moved.count, moved.dead) == (3, 0)
    assert texts(manual.inbox("ada")) == ["soon"]
    assert manual.branch("ada").delayed == 1
    assert set(moved.targets) == {"ada", "cleo"}


def _accepted(road: Road) -> int:
    """When the last of the session's events was told, by the exchange's clock."""
    return int(road.events()[-1].id.partition("-")[0])


def test_delayed_mail_of_a_closed_branch_is_dead(auto: Road) -> None:
    """It does not wait for its time any more."""
    auto.pooled("ada")
    post(auto, 1, 2, delay_ms=60_000)
    auto.close("ada")
    assert texts(auto.dead()) == [1, 2]
    assert (auto.counter("delayed"), promoted(auto)) == (0, None)


def test_promoting_all_sessions_looks_at_each(auto: Road, manual: Road) -> None:
    """Without a session every branch that has something due is seen to."""
    auto.pooled("ada")
    manual.pooled("eve")
    post(auto, 1, delay_ms=1)
    post(manual, 2, delay_ms=60_000, recipient="eve", sender="eve")
    wait_until(lambda: auto.call(Promote()).now > 0 and auto.branch("ada").waiting)
    assert texts(auto.take("ada").entries) == [1]
