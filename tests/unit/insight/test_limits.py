"""Limits of models as pictures: what is left, and who waits."""

from __future__ import annotations

from lion_broker.insight.limits import LimitWait, limit_views
from lion_broker.mail.deployment import BudgetRecord, BudgetWait


def test_what_is_left_and_when_it_is_full() -> None:
    """The part that is missed most says when all is there again; what has no limit misses nothing."""
    record = BudgetRecord("b:1", "far/one", 10, 1000, 60_000, 5.0, 900.0, 1500)
    (limit,) = limit_views((record,))
    assert (limit.model, limit.interval_seconds, limit.idle_seconds) == ("far/one", 60.0, 1.5)
    assert (limit.requests_left, limit.tokens_left, limit.full_seconds) == (5.0, 900.0, 30.0)
    assert (limit.calls, limit.wait_seconds, limit.waits) == (0, None, ())
    (overdrawn,) = limit_views((BudgetRecord("b", "", None, 100, 1000, None, -100.0),))
    assert (overdrawn.model, overdrawn.requests_left, overdrawn.full_seconds) == ("b", None, 2.0)
    assert limit_views((BudgetRecord("b", "", None, None, 1000, None, None),))[0].full_seconds == 0.0


def test_those_that_somebody_waits_for_come_first() -> None:
    """With who they are, as far as that was said."""
    waits = (BudgetWait("home:1:a\nsession\nbranch", 3, 500), BudgetWait("somebody", 1, 900))
    idle = BudgetRecord("a", "", 1, None, 1000, 1.0, None)
    first, second = limit_views((idle, BudgetRecord("z", "", 1, None, 1000, 0.0, None, 0, waits)))
    assert (first.name, second.name) == ("z", "a")
    assert (first.calls, first.wait_seconds) == (4, 0.5)
    assert first.waits == (
        LimitWait("home:1:a", "session", "branch", 3, 0.5),
        LimitWait("somebody", "", "", 1, 0.9),
    )
