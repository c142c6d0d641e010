"""What a worker knows of how much work a session is, and for how long."""

import pytest

from lion_broker.worker.schedule import Schedule

pytestmark = pytest.mark.anyio


async def test_the_account_of_a_session_that_is_gone_is_closed() -> None:
    """Once it has not been at work for ten seconds, however many there were."""
    now = [0.0]
    schedule = Schedule(4, 200, lambda ready: None, lambda: now[0])
    for number in range(100):
        async with schedule.passage(f"s{number}") as passage:
            assert passage is None
        now[0] += 1.0
    known = (schedule._seen, schedule._forecast._usual, schedule._ways._credit)
    assert {len(one) for one in known} == {11}
