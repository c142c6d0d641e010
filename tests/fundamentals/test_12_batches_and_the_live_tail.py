"""Many mails at once, and watching what happens."""

import pytest

from lion_broker import Session

pytestmark = pytest.mark.redis


def test_a_batch_is_posted_together() -> None:
    """What is sent inside goes out in pieces of 50, what is left of it at the end, in the order of sending."""
    with Session(delivery="auto") as session:
        home, ben = session.default_branch, session.new_branch(name="ben")
        with session.batch():
            for number in range(220):
                home.send(ben, "message", f"{number}")
            assert session.counters()["posted"] <= 200
        assert session.counters()["posted"] == 220
        ben.receive_all()
        assert [message.text for message in ben.messages] == [str(number) for number in range(220)]


def test_the_tail_tells_what_happened(session: Session) -> None:
    """Each occurrence has an id, from which the tail can be resumed."""
    session.new_branch(name="ben")
    tail = session.events(timeout=0)
    assert [event.kind for event in tail] == ["created", "created"]
    session.remove_branch("ben")
    assert [event.kind for event in session.events(after=tail.position, timeout=0)] == ["closed"]


@pytest.mark.anyio
async def test_the_tail_can_be_awaited() -> None:
    """`async for` waits for what comes next."""
    async with Session() as session:
        tail = session.events(after="$", timeout=5)
        branch = await session.anew_branch(name="ben")
        async for event in session.events(timeout=30):
            if event.fields["branch"] == branch.id:
                break
        assert event.fields["name"] == "ben"
        assert tail.position == "$"
