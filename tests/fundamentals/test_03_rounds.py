"""A round: collect from all, send to all, receive all. Whatever the order, the same state."""

from collections.abc import Callable

import pytest

from lion_broker import Branch, Session

pytestmark = pytest.mark.redis


def send_then_collect(session: Session) -> None:
    """Deliver first; collecting from the recipient then applies it."""
    session.send()
    session.collect()


def collect_then_send(session: Session) -> None:
    """Take it into the exchange first; what is delivered then is received."""
    session.collect()
    session.send()
    for branch in session.branches:
        branch.receive_all()


def one_call(session: Session) -> None:
    """All of it at once."""
    session.collect_send_all(receive_all=True)


@pytest.mark.parametrize("way", [send_then_collect, collect_then_send, one_call])
def test_every_way_leads_there(session: Session, way: Callable[[Session], None]) -> None:
    """Three ways to let everybody have their mail."""
    ada, ben = session.new_branch(name="ada"), session.new_branch(name="ben")
    ada.send("ben", "message", "Hello, Ben.")
    ada.send("ada", "message", "Do not forget Ben.")
    ben.send("ada", "message", "Hello, Ada.")
    way(session)
    assert [message.text for message in ben.messages] == ["Hello, Ben."]
    assert [message.text for message in ada.messages] == ["Do not forget Ben.", "Hello, Ada."]
    assert session.counters()["applied"] == 3


@pytest.mark.anyio
async def test_a_round_that_nobody_disturbs() -> None:
    """Inside `async with session.mail_manager.sources` other tasks keep out; the commands themselves may be nested."""
    async with Session() as session:
        ada: Branch = session.default_branch
        ada.send(ada, "message", "Hello, me.")
        async with session.mail_manager.sources:
            await session.acollect_send_all(receive_all=True)
        assert len(ada.messages) == 1
