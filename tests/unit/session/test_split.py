"""A split of a branch that lives in this process: as quick as it is to take down what was said, and as lasting."""

import gc
from typing import Any

import pytest

from lion_broker import Branch, BranchClosed, Instruction, RoledMessage, Session
from lion_broker.mail.memory import MemoryExchange


def said(branch: Any) -> list[str]:
    """What was said in a branch."""
    return [message.text for message in branch.messages]


def made_for(branch: Branch) -> list[RoledMessage]:
    """The messages in this process that are addressed to a branch."""
    return [one for one in gc.get_objects() if isinstance(one, RoledMessage) and one.recipient == branch.id]


def written(branch: Any) -> list[dict[str, Any]]:
    """All of its messages as plain values."""
    return [message.to_dict() for message in branch.messages]


@pytest.fixture
def talk(session: Session) -> Branch:
    """A branch with a conversation of its own, and mail that it was sent."""
    branch: Branch = session.new_branch(name="talk", system="Be kind.")
    branch.messages.include([Instruction.create(str(number), context=[{"n": number}]) for number in range(5)])
    session.default_branch.send(branch, "message", "hello")
    session.collect_send_all(receive_all=True)
    return branch


def test_it_makes_no_message(session: Session, talk: Branch) -> None:
    """Neither the split nor the end of the session makes clones; they are there when somebody looks."""
    other = session.split(talk)
    session.flush()
    assert "messages=7" in repr(other)
    session.close()
    assert not made_for(other)
    assert said(other) == said(talk)
    assert len(made_for(other)) == 7
    with pytest.raises(BranchClosed):
        other.send(talk, "message", "too late")


def test_either_side_goes_its_own_way(session: Session, talk: Branch) -> None:
    """What is done to one side before or after somebody looked is not seen on the other."""
    first, second = session.split(talk), session.split(talk)
    before = said(talk)
    talk.messages[1].update(instruction="changed")
    talk.messages[1].metadata["seen"] = True
    talk.rollback(2)
    assert said(first) == said(second) == before
    first.messages[2].update(instruction="changed here")
    first.clear_messages()
    assert said(second) == before
    assert len(talk.messages) == 5
    assert "seen" not in second.messages[1].metadata


def test_the_log_says_the_same(session: Session, talk: Branch, exchange: MemoryExchange) -> None:
    """Whoever takes the session up after a crash finds the very messages of both sides, with what was done since."""
    other = session.split(talk)
    again = session.split(other)
    talk.messages[1].update(instruction="changed")
    session.flush()
    talk.messages.exclude(talk.messages[2])
    other.msgs.add_message(instruction="more")
    other.messages[1].update(instruction="changed here")
    session.flush()
    with Session.open(session.id, exchange=exchange) as reader:
        for branch in (talk, other, again):
            assert written(reader.branches[branch.id]) == written(branch)


def test_a_look_writes_nothing(session: Session, talk: Branch) -> None:
    """That clones are made is no change of the branch; what is done to them is."""
    other = session.split(talk)
    before = other._host.version
    assert len(other.messages) == 7
    session.flush()
    assert other._host.version == before
    other.messages[1].update(instruction="changed")
    session.flush()
    assert other._host.version == before + 1


def test_gathering_finds_the_clones(session: Session, talk: Branch) -> None:
    """Frames and piles have them, each once, with the branch that they are in."""
    other = session.split(talk)
    frame = session.to_df()
    assert (frame["branch"] == str(other.id)).sum() == 7
    assert len(session.concat_messages()) == 14
    assert len(session.to_df(exclude_clone=True)) == 6
