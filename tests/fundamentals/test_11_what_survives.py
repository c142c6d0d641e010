"""What is in the store and what is not yet: mail commands, `flush` and closing write down what branches did."""

import pytest

from lion_broker import Instruction, Session

pytestmark = pytest.mark.redis


def said(session: Session, name: str) -> list[str]:
    """What the store knows of a branch, as another program reads it."""
    with Session.open(session.id) as other:
        return [message.text for message in other.branches[name].messages]


def test_changes_are_written_with_the_next_command(session: Session) -> None:
    """Until then they are in this process only; `flush` writes them without any mail."""
    home = session.new_branch(name="home")
    home.messages.include(Instruction.create(instruction="Not yet."))
    assert said(session, "home") == []
    session.flush()
    assert said(session, "home") == ["Not yet."]


def test_every_kind_of_change(session: Session) -> None:
    """What was added, changed in place, reordered, removed and logged is read back as it is."""
    home = session.new_branch(name="home")
    one, two, three = (Instruction.create(instruction=text) for text in ("one", "two", "three"))
    home.messages.include([one, two, three])
    two.instruction = "zwei"
    home.messages.progression = [three.id, two.id, one.id]
    home.messages.exclude(one)
    session.collect()
    assert said(session, "home") == ["three", "zwei"]


def test_a_command_that_was_interrupted_can_be_given_again(session: Session) -> None:
    """Mail is sent once, however often a round is repeated."""
    home = session.default_branch
    home.send(home, "message", "Once.")
    for _ in range(3):
        session.collect_send_all(receive_all=True)
    assert [message.text for message in home.messages] == ["Once."]
    assert session.counters()["posted"] == 1
