"""A branch by itself: no session, no server."""

import json
from typing import Any

import pytest

from lion_broker import (
    ActionManager,
    Branch,
    ConfigError,
    Instruction,
    MailManager,
    ModelError,
    Node,
    Progression,
    System,
    Tool,
    ToolError,
    iModel,
    pile,
)


def said(branch: Branch) -> list[str]:
    """What was said in a branch."""
    return [message.text for message in branch.messages]


@pytest.mark.parametrize(
    "system",
    ["Be kind.", {"role": "system", "content": "Be kind."}, System.create("Be kind.")],
    ids=["text", "dict", "message"],
)
def test_a_system_message(system: Any) -> None:
    """As a text, as chat models write it, or as a message; there is only one, at the head."""
    branch = Branch(system=system, messages=[Instruction.create(instruction="Hello.")])
    assert said(branch) == ["Be kind.", "Hello."]
    branch.set_system("Be brief.")
    assert said(branch) == ["Be brief.", "Hello."]
    assert branch.system is branch.messages[0]


def test_who_speaks_in_a_system_message() -> None:
    """The sender given, else the owner of the branch."""
    for branch in (Branch(system="x", system_sender="ada"), Branch(system="x", user="ada")):
        assert branch.system is not None
        assert (branch.system.sender, branch.system.recipient) == ("ada", branch.id)


def test_a_time_without_a_system_adds_nothing() -> None:
    """LionAGI added an empty instruction."""
    assert len(Branch(system_datetime=True, system_sender="ada").messages) == 0


def test_messages_and_the_view_of_them() -> None:
    """A Pile, a list or dicts; `progress` is what a model gets to read, in that order."""
    one, two = (Instruction.create(instruction=text) for text in ("one", "two"))
    for given in (pile([one, two]), [one, two], [one.to_dict(), two.to_dict()]):
        branch = Branch(messages=given, progress=Progression([two.id, one.id]))
        assert said(branch) == ["one", "two"]
        assert [message["content"] for message in branch.msgs.to_chat_msgs()] == ["two", "one"]


def test_tools_by_every_form() -> None:
    """Functions, Tools, lists, and names of what the tool manager has."""
    manager = ActionManager(Tool(name="count", func=len))
    branch = Branch(tools=[sorted, "count"], tool_manager=manager)
    assert set(branch.tools) == {"sorted", "count"}
    assert branch.acts is manager
    branch.register_tools(Tool(name="least", func=abs))
    with pytest.raises(ToolError):
        branch.register_tools("nothing")
    with pytest.raises(ValueError, match="already registered"):
        branch.register_tools(sorted)
    branch.register_tools(sorted, update=True)


def test_models() -> None:
    """Objects or `provider/model`; two names of one thing are not both given."""
    branch = Branch(chat_model="offline/extractive", parse_model=iModel("offline", "extractive"))
    assert branch.chat_model is not None
    assert branch.chat_model.name == "offline/extractive"
    assert branch.parse_model is branch.mdls.parse
    with pytest.raises(ConfigError, match="two names"):
        Branch(imodel="offline/extractive", chat_model="offline/extractive")
    with pytest.raises(ConfigError):
        branch.chat_model = 7  # type: ignore[assignment]  # what a user might do


def test_unknown_arguments_are_refused() -> None:
    """A misspelt name is an error."""
    with pytest.raises(ValueError, match="sytem"):
        Branch(sytem="Be kind.")


def test_mail_between_two_by_a_manager() -> None:
    """Received mail is applied by category; what is not wanted or not known stays."""
    ada, ben = Branch(name="ada"), Branch(name="ben")
    manager = MailManager([ada, ben])
    ada.send(ben.id, "message", Instruction.create(instruction="Hello."))
    ada.send(ben.id, "tool", sorted)
    ada.send(ben.id, "imodel", iModel("offline", "extractive"))
    ada.send(ben.id, "node", Node(content=1))
    manager.collect_all()
    manager.send_all()
    ben.receive(ada, tool=False, imodel=False)
    assert (said(ben), list(ben.tools), len(ben.mailbox)) == (["Hello."], [], 3)
    ben.receive_all()
    assert (list(ben.tools), ben.chat_model is not None, len(ben.mailbox)) == (["sorted"], True, 1)


def test_a_bad_item_loses_no_other() -> None:
    """It stays pending and is reported; mail before and behind it is applied."""
    ada, ben = Branch(name="ada"), Branch(name="ben", tools=Tool(name="count", func=len))
    manager = MailManager([ada, ben])
    for item in (Tool(name="count", func=sum), Tool(name="most", func=sorted)):
        ada.send(ben.id, "tool", item)
    manager.collect_all()
    manager.send_all()
    with pytest.raises(ValueError, match="another tool named 'count'"):
        ben.receive_all()
    assert set(ben.tools) == {"count", "most"}
    assert len(ben.mailbox.incoming(ada)) == 1


def test_receiving_from_a_stranger() -> None:
    """A ValueError that names both."""
    ada, ben = Branch(name="ada"), Branch(name="ben")
    with pytest.raises(ValueError, match=f"No mail from {ada.id} is pending in ben"):
        ben.receive(ada)


def test_a_clone() -> None:
    """Messages as clones from the original to the clone, the same tools, models and owner; one system message."""
    branch = Branch(user="ada", system="Be kind.", tools=sorted, chat_model="offline/extractive")
    branch.messages.include(Instruction.create(instruction="Hello."))
    clone = branch.clone()
    assert said(clone) == ["Be kind.", "Hello."]
    assert clone.system is clone.messages[0]
    assert all(message.is_clone() for message in clone.messages)
    assert {(message.sender, message.recipient) for message in clone.messages} == {(branch.id, clone.id)}
    assert clone.tools["sorted"] is branch.tools["sorted"]
    assert (clone.user, clone.chat_model) == ("ada", branch.chat_model)
    assert set(clone.messages.keys()).isdisjoint(branch.messages.keys())
    clone.messages[1].update(remark="changed")
    assert "remark" not in branch.messages[1].content


@pytest.mark.anyio
async def test_a_conversation() -> None:
    """Question and answer are recorded together, or not at all when the call fails."""
    branch = Branch(user="ada")
    with pytest.raises(ModelError, match="has no model"):
        await branch.communicate("What is a lion?")
    with pytest.raises(ModelError, match="not available"):
        await branch.communicate("What is a lion?", chat_model="nobody/nothing")
    assert len(branch.messages) == 0
    answer = await branch.communicate("What is a lion?", context=["A lion is a cat."], imodel="offline/extractive")
    assert "A lion is a cat." in answer
    assert [(message.role, message.sender) for message in branch.messages] == [
        ("user", "ada"),
        ("assistant", branch.id),
    ]
    await branch.communicate("Again?", clear_messages=True, imodel="offline/extractive")
    assert len(branch.messages) == 2


def test_a_frame_of_a_branch() -> None:
    """The columns are there when nothing was said."""
    branch = Branch(name="ada")
    columns = ["role", "content", "sender", "recipient", "created_at", "id", "branch"]
    assert list(branch.to_df().columns) == columns
    branch.messages.include(Instruction.create(instruction="Hello."))
    assert branch.to_df().iloc[0]["branch"] == "ada"


def test_a_branch_can_be_written_down() -> None:
    """Its own fields are plain JSON; what it holds is kept by a session."""
    assert json.loads(json.dumps(Branch(name="ada", user="x").to_dict()))["name"] == "ada"


def test_its_log() -> None:
    """Texts, dicts and elements, in order."""
    branch = Branch()
    branch.logs.log("one")
    branch.logs.log({"two": 2})
    assert [entry.content for entry in branch.logs] == [{"text": "one"}, {"two": 2}]
