"""Who is in a session: first, default, removed, included and merged branches."""

from typing import Any

import pytest

from lion_broker import (
    Branch,
    BranchClosed,
    ConfigError,
    Instruction,
    ItemExistsError,
    ItemNotFoundError,
    NotPortable,
    Registry,
    RemoteBranch,
    Session,
    Tool,
)
from lion_broker.errors import ToolUnknown
from lion_broker.mail.memory import MemoryExchange


def said(branch: Any) -> list[str]:
    """What was said in a branch."""
    return [message.text for message in branch.messages]


def say(branch: Branch, text: str) -> None:
    """Put a message into the history."""
    branch.messages.include(Instruction.create(instruction=text))


def test_the_default_follows(session: Session, ada: Branch) -> None:
    """The oldest branch left becomes the default; none is left, None; the next one is it again."""
    first = session.default_branch
    session.change_default_branch(ada)
    session.remove_branch(ada)
    assert session.default_branch is first
    session.remove_branch(first)
    assert session.default_branch is None
    assert session.new_branch(name="new") is session.default_branch


def test_the_default_is_stored(session: Session, ada: Branch, exchange: MemoryExchange) -> None:
    """Whoever opens the session has the same one."""
    session.change_default_branch("ada")
    with Session.open(session.id, exchange=exchange) as reader:
        assert reader.default_branch.id == ada.id


def test_removing_another_leaves_the_default(session: Session, ada: Branch) -> None:
    """Only the default's own removal changes it."""
    first = session.default_branch
    session.remove_branch(ada)
    assert session.default_branch is first


def test_a_removed_branch_takes_no_more_mail(session: Session, ada: Branch, ben: Branch) -> None:
    """What waits at any station becomes a dead letter with the reason, what comes later is refused."""
    for text in ("in the inbox", "collected", "in the outbox"):
        ada.send(ben, "message", text)
        if text == "in the inbox":
            session.send()
        elif text == "collected":
            session.mail_manager.collect_all()
    session.remove_branch(ben, delete=True)
    session.collect_send_all(receive_all=True)
    assert [letter.reason for letter in session.dead_letters] == ["closed"] * 3
    for ref in (ben, ben.id):
        with pytest.raises(BranchClosed):
            ada.send(ref, "message", "hello?")
    with pytest.raises(ItemNotFoundError):
        session.remove_branch(ben)


def test_what_a_removed_branch_had_sent_still_goes(session: Session, ada: Branch, ben: Branch) -> None:
    """And can be received, from all or from that sender."""
    ada.send(ben, "message", "my last words")
    session.remove_branch(ada)
    session.send()
    ben.receive(ada.id)
    assert said(ben) == ["my last words"]


def test_tools_by_name(session: Session) -> None:
    """Found with the tool manager, the session's registry, or another branch; the error lists these places."""
    registry = Registry()
    registry.tool(Tool(name="registered", func=len))
    with Session(exchange=MemoryExchange(), registry=registry) as other:
        other.new_branch(tools=[Tool(name="known", func=len)])
        assert set(other.new_branch(tools=["registered", "known"]).tools) == {"registered", "known"}
        with pytest.raises(ToolUnknown, match=r"'unknown'.*registry"):
            other.new_branch(tools=["unknown"])
        assert len(other.branches) == 3


@pytest.mark.parametrize(
    "wrong",
    [
        {"behaviour": "answer"},
        {"colour": "red"},
        {"imodel": "offline/extractive", "chat_model": "offline/extractive"},
        {"imodel": "no slash"},
        {"imodel": 7},
        {"pool": "p", "tools": [len]},
        {"pool": "a b"},
        {"pool": "p", "imodel": 7},
    ],
    ids=str,
)
def test_what_makes_no_branch(session: Session, wrong: dict[str, Any]) -> None:
    """An error of this package, and no branch is left behind."""
    with pytest.raises((ConfigError, NotPortable, ValueError)):
        session.new_branch(**wrong)
    assert len(session.branches) == 1
    with Session.open(session.id, exchange=session.exchange) as reader:
        assert len(reader.branches) == 1


def test_a_pool_for_all(exchange: MemoryExchange) -> None:
    """The session's pool is where its branches live, unless they say otherwise."""
    with Session(exchange=exchange, pool="p") as session:
        assert isinstance(session.default_branch, RemoteBranch)
        assert isinstance(session.new_branch(name="here", pool=""), Branch)
        assert session.new_branch(name="there").pool == "p"


def test_a_branch_that_was_alone(session: Session, ada: Branch) -> None:
    """It brings its history and what waits in its outbox; twice is once; another session's is refused."""
    alone = Branch(name="alone", system="Begin.", tools=[len])
    alone.send(ada.id, "message", "I come")
    session.include_branches([alone, alone])
    session.include_branches(alone)
    session.collect_send_all(receive_all=True)
    assert said(ada) == ["I come"]
    with Session.open(session.id, exchange=session.exchange) as reader:
        assert said(reader.branches["alone"]) == ["Begin."]
    with Session(exchange=MemoryExchange()) as other, pytest.raises(ItemExistsError, match="another session"):
        other.include_branches(alone)
    with pytest.raises(ValueError, match="not str"):
        session.include_branches("ada")


def test_a_merge(session: Session, ada: Branch, ben: Branch) -> None:
    """Messages of both in order of creation, one system message, tools and models of both; the first wins."""
    count = Tool(name="count", func=len)
    ada.set_system("I am Ada.")
    ben.set_system("I am Ben.")
    for number, branch in enumerate((ada, ben, ben, ada)):
        say(branch, str(number))
    ada.register_tools(count)
    ben.register_tools([Tool(name="count", func=sum), Tool(name="other", func=len)])
    ben.chat_model = "offline/extractive"
    assert session.merge("ada", "ben") is ada
    assert said(ada) == ["I am Ada.", "0", "1", "2", "3"]
    assert ada.tools["count"] is count
    assert "other" in ada.tools
    assert ada.chat_model is ben.chat_model
    assert said(ben) == ["I am Ben.", "1", "2"]
    session.merge("ada", "ben", delete=True)
    assert said(ada) == ["I am Ada.", "0", "1", "2", "3"]
    assert "ben" not in session.branches
    with Session.open(session.id, exchange=session.exchange) as reader:
        assert said(reader.branches["ada"]) == said(ada)


def test_a_merge_of_what_was_split(session: Session, ada: Branch) -> None:
    """A clone of a message that is there is no second message."""
    say(ada, "one")
    clone = session.split(ada)
    say(clone, "two")
    session.merge(ada, clone, delete=True)
    assert said(ada) == ["one", "two"]


def test_no_merge_with_itself(session: Session, ada: Branch) -> None:
    """It would make no sense."""
    with pytest.raises(ValueError, match="itself"):
        session.merge(ada, "ada")


def test_getting_a_branch(session: Session, ada: Branch) -> None:
    """By id, name or object; None is the default branch, and an unknown one is what was asked for instead."""
    assert session.get_branch("ada") is session.get_branch(ada.id) is session.get_branch(ada) is ada
    assert session.get_branch() is session.default_branch
    assert session.get_branch("nobody", None) is None
    with pytest.raises(ItemNotFoundError):
        session.get_branch("nobody")


def test_deleting_a_branch(session: Session, ada: Branch) -> None:
    """It goes with its history and returns True; the default branch stays."""
    with pytest.raises(ValueError, match="default branch cannot be deleted"):
        session.delete_branch(session.default_branch)
    assert session.delete_branch("ada") is True
    assert ada not in session.branches
    with pytest.raises(ItemNotFoundError):
        session.delete_branch("ada")


@pytest.mark.anyio
async def test_the_twins_of_getting_and_deleting(session: Session, ada: Branch) -> None:
    """The same without blocking the event loop."""
    assert await session.aget_branch("ada") is ada
    assert await session.aget_branch("nobody", "else") == "else"
    assert await session.adelete_branch(ada) is True
    assert await session.aget_branch(ada.id, None) is None


def test_without_a_default_branch(session: Session) -> None:
    """When the last branch is gone, there is none to get."""
    session.remove_branch(session.default_branch)
    with pytest.raises(ItemNotFoundError, match="no default branch"):
        session.get_branch()


def test_a_merge_shares_nothing(session: Session, ada: Branch, ben: Branch) -> None:
    """Changing a message in one branch leaves it alone in the other."""
    say(ben, "Hello.")
    session.merge(ada, ben)
    assert ada.replace_keyword("Hello", "Bye") == 1
    assert ben.replace_keyword("Hello", "Bye") == 1


def test_edits_survive_the_process(session: Session, ada: Branch, exchange: MemoryExchange) -> None:
    """Changes of every kind are in the log with the next commit, and taken over by whoever hosts the branch next."""
    for text in ("one", "two", "three", "four"):
        say(ada, text)
    ada.replace_keyword("one", "1")
    ada.rollback(1)
    ada.register_tools(sorted)
    ada.remove_message(ada.messages[1])
    ada.update_message(ada.messages[1], guidance="Count.")
    session.flush()
    before = [message.to_dict() for message in ada.messages]
    session.close()
    with Session.open(session.id, exchange=exchange, host=True) as taken:
        branch = taken.branches["ada"]
        assert [message.to_dict() for message in branch.messages] == before
        with pytest.raises(ToolUnknown, match="sorted is missing here"):
            branch.acts.match_tool({"function": "sorted", "arguments": {}})
        assert branch.delete_tools("sorted")
    with Session.open(session.id, exchange=exchange) as reader:
        assert dict(reader.branches["ada"].tools) == {}
