"""A branch as plain values: complete, without code or keys, and back again."""

import json
from typing import Any

import pytest

from lion_broker import (
    AssistantResponse,
    Branch,
    ConfigError,
    Element,
    Instruction,
    Mail,
    MailManager,
    Node,
    Package,
    Registry,
    System,
    Tool,
    ToolError,
    iModel,
)
from lion_broker.testing import ScriptedModel


def search(query: str) -> str:
    """Search."""
    return query


@pytest.fixture
def registry() -> Registry:
    """A tool and a model by name."""
    registry = Registry()
    registry.tool(search)
    registry.model("quick", iModel("offline", "extractive", temperature=0.5))
    return registry


@pytest.fixture
def branch(registry: Registry) -> Branch:
    """A branch with something of everything."""
    branch = Branch(user="ada", name="zoo", system="Be brief.", metadata={"x": [1]}, tools=[sorted])
    branch.register_tools(registry.tools["search"])
    branch.register_model(registry.models["quick"])
    branch.register_model(iModel("openai", "gpt", api_key="very secret", seed=7), "parse")
    branch.messages.include([Instruction.create("one"), AssistantResponse.create("two"), Instruction.create("three")])
    branch.extend(Instruction.create("four").to_dict())
    branch.msgs.progression = [branch.messages[2].id, branch.messages[1].id]
    branch.logs.log("begun")
    branch.send(Branch(), "message", Instruction.create("out"), request_source="me")
    other = Branch()
    for category, item in (("message", "in"), ("tool", "search"), ("node", Node(content=[1])), ("signal", {"a": 1})):
        given = Instruction.create(item) if category == "message" else item
        package = Package(category, given)  # type: ignore[arg-type]  # validated
        branch.mailbox.append_in(Mail(sender=other.id, recipient=branch.id, package=package))
    return branch


def test_there_and_back(branch: Branch, registry: Registry) -> None:
    """All of it returns, whatever reads the JSON; neither the branch nor the values change."""
    values = branch.to_dict()
    text = json.dumps(values)
    for restored in (
        Branch.from_dict(values, tools=[sorted], registry=registry),
        Branch.from_dict(json.loads(text)),
        Element.from_dict(values),
    ):
        assert isinstance(restored, Branch)
        assert restored.to_dict() == values
    assert json.dumps(values) == text
    assert branch.to_dict() == values
    assert "very secret" not in text


def test_what_returns(branch: Branch, registry: Registry) -> None:
    """The same messages, view, system message, flags, log, mail, models and tools, as objects that work."""
    restored = Branch.from_dict(branch.to_dict(), tools=sorted, registry=registry)
    assert (restored, restored.user, restored.name, restored.metadata) == (branch, "ada", "zoo", {"x": [1]})
    assert [message.text for message in restored.messages] == [message.text for message in branch.messages]
    assert restored.msgs.progression.order == branch.msgs.progression.order
    assert restored.chat_messages == branch.chat_messages
    assert restored.system is restored.messages[0]
    assert restored.flagged_messages(include_load=True).keys() == [branch.messages[4].id]
    assert [str(entry) for entry in restored.logs] == ["begun"]
    assert set(restored.tools) == {"sorted", "search"}
    assert restored.chat_model is registry.models["quick"]
    assert restored.model_names == {"chat": "quick", "parse": "openai/gpt"}
    assert [mail.category for mail in restored.mailbox.outgoing()] == ["message"]
    assert isinstance(restored.mailbox.outgoing()[0].package.item, Instruction)
    restored.receive_all()
    assert restored.last_message is not None
    assert restored.last_message.text == Instruction.create("in").text


def test_missing_tools(branch: Branch) -> None:
    """Without their functions they are known as missing: a call says so, and registering one brings it back."""
    restored = Branch.from_dict(branch.to_dict())
    assert not restored.has_tools
    with pytest.raises(ToolError, match="sorted is missing here"):
        restored.acts.match_tool({"function": "sorted", "arguments": {}})
    restored.register_tools(sorted)
    assert (list(restored.tools), list(restored.acts.absent)) == (["sorted"], ["search"])
    assert restored.delete_tools("search")
    assert not restored.acts.absent


def test_mail_that_cannot_be_written(branch: Branch) -> None:
    """A plain function in a mail is named by its type, and applying it later says what is wrong; the rest returns."""
    one = Branch()
    one.send(branch, "tool", sorted)
    one.send(branch, "tool", [search, Tool(name="x", func=len)])
    one.send(branch, "signal", object())
    one.send(branch, "message", Instruction.create("x" * 300_000))
    values = one.to_dict()
    restored = Branch.from_dict(json.loads(json.dumps(values)))
    assert restored.to_dict() == values
    assert isinstance(restored.mailbox.outgoing()[3].package.item, Instruction)
    other = Branch(id=branch.id)
    manager = MailManager([restored, other])
    manager.collect_all()
    manager.send_all()
    with pytest.raises(ToolError, match="A tool is made of a function"):
        other.receive_all()


def test_a_system_message_that_is_not_at_the_head() -> None:
    """Which of several it is, is written down."""
    branch = Branch(system="One.", messages=[Instruction.create("Hello.")])
    branch.messages.insert(0, System.create("An older one."))
    assert branch.system is branch.messages[1]
    restored = Branch.from_dict(branch.to_dict())
    assert restored.system == branch.system


def test_an_empty_branch() -> None:
    """Also what has nothing is complete; parts that are left out are empty."""
    branch = Branch()
    assert Branch.from_dict(branch.to_dict()).to_dict() == branch.to_dict()
    assert Branch.from_dict({"name": "ada"}).name == "ada"


# The same in each process, for the names of tests.
MESSAGE = {**Instruction.create("x").to_dict(), "id": "0191aef4-0000-7000-8000-000000000001", "created_at": 1.0}


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"nmae": "ada"}, "has no field nmae"),
        ({"chat_model": "offline/extractive"}, "has no field chat_model"),
        ({"messages": {"a": 1}}, "message part is no list"),
        ({"messages": "ab"}, "message part is no list"),
        ({"messages": [MESSAGE, 7]}, "message 2 of the branch is no object"),
        ({"messages": [{**MESSAGE, "x": 1}]}, "message 1 of the branch cannot be read"),
        ({"messages": [MESSAGE, MESSAGE]}, "same id"),
        ({"messages": [MESSAGE], "progression": ["x"]}, "no id"),
        ({"messages": [MESSAGE], "system": MESSAGE["id"]}, "no system message"),
        ({"logs": [{"content": 7}]}, "log entry 1"),
        ({"tools": [{"name": 7}]}, "tool 1"),
        ({"tools": [{"name": "x", "import": "os.system"}]}, "tool 1"),
        ({"models": []}, "models part is no object"),
        ({"models": {"chat": 7}}, "model for chat"),
        ({"models": {"chat": {"settings": {"provider": "x", "api_key": "y"}}}}, "no settings of a model"),
        ({"models": {"chat": {"settings": {"parameters": {"api_key": 7}}}}}, "."),
        ({"mailbox": {"in": [{"category": "message"}]}}, "incoming mail 1"),
        ({"mailbox": {"out": [{"category": "nothing"}]}}, "outgoing mail 1"),
        ({"mailbox": 7}, "mailbox part is no object"),
        ({"metadata": {"lion_class": "Session"}}, "."),
        ({"metadata": {"lion_class": "os.system"}}, "."),
    ],
    ids=str,
)
def test_values_that_are_no_branch(values: dict[str, Any], match: str) -> None:
    """A ValueError that names the part and the item."""
    with pytest.raises(ValueError, match=match):
        Branch.from_dict(values)


def test_not_even_a_dict() -> None:
    """What is no mapping is said to be none."""
    with pytest.raises(ConfigError, match="is read from a dict"):
        Branch.from_dict(["x"])  # type: ignore[arg-type]  # what is tested


def test_a_model_that_is_an_object_is_named() -> None:
    """It cannot be written down; the copy has no model, and says so when it is asked."""
    branch = Branch(chat_model=ScriptedModel("one").imodel)
    values = branch.to_dict()
    assert values["models"] == {"chat": {"object": "scripted/model"}}
    copy = Branch.from_dict(values)
    assert copy.chat_model is None
    assert copy.to_dict()["messages"] == values["messages"]
