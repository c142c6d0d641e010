"""Splitting and merging: the same conversation taken two ways, and brought together again."""

import pytest

from lion_broker import Branch, Instruction, Session

pytestmark = pytest.mark.redis


@pytest.fixture
def plan(session: Session) -> Branch:
    """A branch with a conversation and a tool."""
    branch: Branch = session.new_branch(name="plan", system="Plan.", tools=[len])
    branch.messages.include(Instruction.create(instruction="A house."))
    return branch


def test_a_split_begins_with_clones(session: Session, plan: Branch) -> None:
    """Messages, tools and system are there; what is said from now on is said on one side only."""
    other = session.split(plan)
    assert [message.text for message in other.messages] == ["Plan.", "A house."]
    assert other.flagged_messages(include_clone=True).keys() == other.messages.keys()
    assert list(other.tools) == ["len"]
    assert other.system is not None
    other.messages.include(Instruction.create(instruction="Of stone."))
    assert len(plan.messages) == 2


def test_clones_can_be_left_out(session: Session, plan: Branch) -> None:
    """Gathering messages without clones gives each thing that was said once."""
    session.split(plan)
    assert len(session.concat_messages()) == 4
    assert len(session.concat_messages(exclude_clone=True)) == 2


def test_a_merge_unites(session: Session, plan: Branch) -> None:
    """The messages of both in order of creation, none twice, and the tools of both."""
    other = session.split(plan)
    other.messages.include(Instruction.create(instruction="Of stone."))
    other.register_tools(sum)
    plan.messages.include(Instruction.create(instruction="By the sea."))
    session.merge(plan, other, delete=True)
    assert [message.text for message in plan.messages] == ["Plan.", "A house.", "Of stone.", "By the sea."]
    assert set(plan.tools) == {"len", "sum"}
    assert other not in session.branches
