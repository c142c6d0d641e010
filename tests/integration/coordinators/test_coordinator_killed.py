"""A program that leads a session is killed; another one takes the session up."""

from collections.abc import Callable

import pytest

from lion_broker import Branch, BranchOwned, RemoteBranch, Session
from lion_broker.testing import wait_until
from tests.stage import Program, Stage

pytestmark = [pytest.mark.redis, pytest.mark.processes]


@pytest.fixture
def holder(stage: Stage) -> Program:
    """A program with a session, told to wait."""
    return stage.start("-m", "tests.apps.coordinator", "hold", LION_BROKER_LEASE="0.5")


def taken_over(session_id: str, stage: Stage) -> Callable[[], Session | None]:
    """Open the session as a host; None while the dead program's lease is alive."""

    def attempt() -> Session | None:
        session = Session.open(session_id, exchange=stage.exchange, host=True)
        if all(isinstance(branch, Branch) for branch in session.branches):
            return session
        session.close()
        return None

    return attempt


def test_nothing_that_was_flushed_is_lost(holder: Program, stage: Stage) -> None:
    """History, log, tools by name, default branch and mail on every station are there; what was not flushed is gone."""
    session_id = holder.told()["session"]
    holder.kill()
    session = wait_until(taken_over(session_id, stage))
    with session:
        mine, other = session.branches["mine"], session.branches["other"]
        assert (session.name, session.user, session.default_branch) == ("held", "ada", mine)
        assert [message.text for message in mine.messages] == ["Be kind."]
        assert mine.system is not None
        assert [str(entry) for entry in mine.logs] == ["flushed"]
        session.collect_send_all(receive_all=True)
        assert [message.text for message in other.messages] == ["delivered", "collected", "in the outbox"]
        assert session.dead_letters == []


def test_while_it_lives_its_branches_are_its_own(holder: Program, stage: Stage) -> None:
    """Another program reads them and mails them, but an operation on them names their owner."""
    session_id = holder.told()["session"]
    with Session.open(session_id, exchange=stage.exchange, host=True) as session:
        mine = session.branches["mine"]
        assert isinstance(mine, RemoteBranch)
        assert [message.text for message in mine.messages] == ["Be kind."]
        with pytest.raises(BranchOwned, match=str(holder.pid)):
            mine.receive_all()
        with pytest.raises(BranchOwned):
            session.remove_branch(mine)
        guest = session.new_branch(name="guest")
        guest.send(mine, "message", "hello")
        session.send(mine)
        assert len(mine.mailbox) == 1
