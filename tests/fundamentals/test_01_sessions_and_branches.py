"""A session leads branches; each branch is a conversation of its own."""

import pytest

from lion_broker import Branch, Instruction, ItemNotFoundError, Session

pytestmark = pytest.mark.redis


def test_a_branch_needs_nothing() -> None:
    """Alone it is a conversation with a system message, tools and a log, without any server."""
    branch = Branch(name="alone", system="Be brief.", tools=[len])
    branch.messages.include(Instruction.create(instruction="Hello."))
    branch.logs.log("said hello")
    assert [message.text for message in branch.messages] == ["Be brief.", "Hello."]
    assert list(branch.tools) == ["len"]
    assert len(branch.logs) == 1


def test_a_session_begins_with_a_branch(session: Session) -> None:
    """There is a default branch from the start, and it stays the default until you choose another."""
    first = session.default_branch
    research = session.new_branch(name="research", system="Find things out.")
    assert session.default_branch is first
    session.change_default_branch("research")
    assert session.default_branch is research


def test_branches_are_found_by_what_you_have(session: Session) -> None:
    """A name, an id, the text of an id, a place, or the branch itself."""
    research = session.new_branch(name="research")
    for key in ("research", research.id, str(research.id), 1, research):
        assert session.branches[key] is research
    assert "research" in session.branches
    with pytest.raises(ItemNotFoundError, match="coding"):
        session.branches["coding"]


def test_a_removed_branch_is_gone(session: Session) -> None:
    """It leaves the session, and another branch becomes the default if it was that."""
    research = session.new_branch(name="research")
    session.remove_branch(session.default_branch)
    assert session.default_branch is research
    assert list(session.branches) == [research]


def test_all_that_was_said_in_one_table(session: Session) -> None:
    """Messages of all branches in order of creation, in a Pile or as a frame."""
    for name in ("ada", "ben"):
        session.new_branch(name=name).messages.include(Instruction.create(instruction=f"I am {name}."))
    assert [message.text for message in session.concat_messages()] == ["I am ada.", "I am ben."]
    frame = session.to_df()
    assert list(frame.columns) == ["role", "content", "sender", "recipient", "created_at", "id", "branch"]
    assert list(frame["branch"]) == ["ada", "ben"]
