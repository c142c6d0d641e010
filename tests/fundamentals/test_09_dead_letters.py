"""Mail that cannot be delivered or applied is never dropped: it is kept as a dead letter with the reason."""

import pytest

from lion_broker import Branch, BranchClosed, Mail, Registry, Session, Tool
from tests.conftest import RunningWorker

pytestmark = pytest.mark.redis


def test_mail_to_a_removed_branch(session: Session) -> None:
    """What waits for it becomes a dead letter; sending it more is an error."""
    ben = session.new_branch(name="ben")
    session.default_branch.send(ben, "message", "Are you there?")
    session.send()
    session.remove_branch(ben)
    (letter,) = session.dead_letters
    assert (letter.reason, letter.branch) == ("closed", ben.id)
    with pytest.raises(BranchClosed):
        session.default_branch.send(ben.id, "message", "Hello?")


def test_a_tool_whose_name_is_taken(session: Session) -> None:
    """A mail that does not fit is set aside, and the one behind it is applied."""
    ada, ben = session.default_branch, session.new_branch(name="ben", tools=[Tool(name="count", func=len)])
    ada.send(ben, "tool", Tool(name="count", func=sum))
    ada.send(ben, "message", "Use that.")
    session.collect_send_all(receive_all=True)
    (letter,) = session.dead_letters
    assert "another tool named 'count'" in letter.detail
    assert len(ben.messages) == 1


@pytest.mark.anyio
async def test_a_behaviour_that_fails(running_worker: RunningWorker) -> None:
    """After the attempts allowed; nothing of what it did remains, and other mail goes on."""
    registry = Registry()

    @registry.behaviour("picky", attempts=2)
    async def picky(branch: Branch, mail: Mail) -> None:
        branch.send(mail.sender, "message", "Thank you.")
        if mail.package.item.instruction == "spinach":
            raise ValueError("I do not eat spinach.")

    async with Session(delivery="auto") as session:
        far = await session.anew_branch(name="far", pool="p", behaviour="picky")
        home = session.default_branch
        for dish in ("spinach", "soup"):
            await home.asend(far, "message", dish)
        async with running_worker(registry, session.exchange, pool="p"):
            await session.await_idle()
        await home.areceive_all()
        assert [message.text for message in home.messages] == ["Thank you."]
        (letter,) = session.dead_letters
        assert letter.attempts == 2
        assert "I do not eat spinach." in letter.detail
