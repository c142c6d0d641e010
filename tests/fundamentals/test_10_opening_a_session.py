"""A session outlives its program: it is taken up by its id, in any process."""

import pytest

from lion_broker import Branch, BranchOwned, Instruction, ItemNotFoundError, RemoteBranch, Session

pytestmark = pytest.mark.redis


@pytest.fixture
def left_behind() -> str:
    """A session that was closed with mail on its way."""
    with Session(name="desk", user="ada") as session:
        home = session.new_branch(name="home", system="Be kind.")
        home.messages.include(Instruction.create(instruction="Remember me."))
        home.send(session.default_branch, "message", "On its way.")
        session.change_default_branch(home)
        return session.id


def test_everything_is_there(left_behind: str) -> None:
    """Names, branches, history, default branch and mail; with `host` its branches live here from now on."""
    with Session.open(left_behind, host=True) as session:
        home = session.branches["home"]
        assert (session.name, session.user) == ("desk", "ada")
        assert isinstance(home, Branch)
        assert session.default_branch is home
        assert [message.text for message in home.messages] == ["Be kind.", "Remember me."]
        session.collect_send_all(receive_all=True)
        assert [message.text for message in session.branches[0].messages] == ["On its way."]


def test_two_programs(session: Session) -> None:
    """While its owner lives, a branch can be read and mailed by another program, but not worked with."""
    home = session.new_branch(name="home")
    with Session.open(session.id) as other:
        seen = other.branches["home"]
        assert isinstance(seen, RemoteBranch)
        other.new_branch(name="guest").send("home", "message", "Knock, knock.")
        other.send()
        session.collect_send_all(receive_all=True)
        assert [message.text for message in home.messages] == ["Knock, knock."]
        assert [message.text for message in seen.messages] == ["Knock, knock."]
        with pytest.raises(BranchOwned, match="hosted by another process"):
            seen.receive_all()
        assert session.get_branch("guest").name == "guest"


def test_deleted_is_deleted(left_behind: str) -> None:
    """Nothing of a deleted session is left to open."""
    Session.open(left_behind).delete()
    with pytest.raises(ItemNotFoundError, match=left_behind):
        Session.open(left_behind)
