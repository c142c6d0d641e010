"""Merging branches that live alone, and taking tools away."""

import pytest

from lion_broker import Branch, ConfigError, Instruction, Tool, iModel


def said(branch: Branch) -> list[str]:
    """What was said."""
    return [message.text for message in branch.messages]


def test_messages_are_united() -> None:
    """In order of creation, none twice, not even as a clone; the other branch stays as it is and shares nothing."""
    plan = Branch(system="Plan.", messages=[])
    for text in ("one", "two"):
        plan.messages.include(Instruction.create(plain_content=text))
    other = plan.clone()
    other.messages.include(Instruction.create(plain_content="three"))
    plan.messages.include(Instruction.create(plain_content="four"))
    plan.merge_branch(other)
    assert said(plan) == ["Plan.", "one", "two", "three", "four"]
    plan.update_message(plan.messages[3], plain_content="changed")
    assert said(other) == ["Plan.", "one", "two", "three"]
    plan.merge_branch(other)
    assert len(plan.messages) == 5


def test_a_system_message_is_only_taken_without_one() -> None:
    """As a clone, at the head; the target's own stays."""
    one, two = Branch(system="One."), Branch(system="Two.")
    bare = Branch(messages=Instruction.create(plain_content="x"))
    one.merge_branch(two)
    bare.merge_branch(two)
    assert (said(one), said(bare)) == (["One."], ["Two.", "x"])


@pytest.mark.parametrize("update", [True, False])
def test_tools_and_models(update: bool) -> None:
    """Those of the same name are replaced with `update`, which is usual, and else kept."""
    first, second = Tool(name="count", func=len), Tool(name="count", func=sum)
    one = Branch(tools=first, chat_model="offline/one")
    two = Branch(tools=[second, sorted], chat_model="offline/two", parse_model=iModel("offline", "three"))
    one.merge_branch(two, update=update)
    assert one.tools["count"] is (second if update else first)
    assert set(one.tools) == {"count", "sorted"}
    assert one.model_names == {"chat": f"offline/{'two' if update else 'one'}", "parse": "offline/three"}


def test_what_cannot_be_merged() -> None:
    """A branch with itself, and what is no branch."""
    branch = Branch()
    for odd in (branch, Branch(id=branch.id), "x", None):
        with pytest.raises(ConfigError, match="merges with another branch"):
            branch.merge_branch(odd)


def test_taking_tools_away() -> None:
    """By name, function or Tool; False when one of them was not there, the others go all the same."""
    tool = Tool(name="count", func=len)
    branch = Branch(tools=[tool, sorted, abs])
    assert branch.has_tools
    assert branch.delete_tools(["count", sorted])
    assert not branch.delete_tools([abs, tool, "nothing"])
    assert not branch.has_tools
