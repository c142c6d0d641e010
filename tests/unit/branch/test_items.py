"""Items of mail as JSON and back: data and names, never code."""

import json
from typing import Any

import pytest

from lion_broker import (
    ActionRequest,
    AssistantResponse,
    Branch,
    IDType,
    Instruction,
    ItemNotFoundError,
    Log,
    MailMalformed,
    MailTooLarge,
    Node,
    NotPortable,
    PackageCategory,
    Registry,
    System,
    Tool,
    iModel,
    pile,
)
from lion_broker.branch.items import LocalObjects, decode_item, encode_item
from lion_broker.errors import ToolUnknown
from lion_broker.testing import ScriptedModel
from tests.naming import stable

C = PackageCategory
NODE = Node(content={"page": 7})
MAIL = ("00000000-0000-7000-8000-00000000000a", 12.5)
"""Id and time of the mails that are read here."""


def double(number: int) -> int:
    """Return twice the number."""
    return 2 * number


@pytest.fixture
def registry() -> Registry:
    """A tool and a model by name."""
    registry = Registry()
    registry.tool(double)
    registry.model("quote", iModel("offline", "extractive"))
    return registry


@pytest.fixture
def objects() -> LocalObjects:
    """What this process refers to."""
    return LocalObjects()


def there_and_back(
    category: PackageCategory, item: Any, registry: Registry, objects: LocalObjects | None = None
) -> Any:
    """What arrives of an item, and that its request source arrives with it."""
    body = json.loads(encode_item(category, item, {"why": "test"}, "" if objects else "p", objects))
    found, source = decode_item(category, body, registry, objects, *MAIL)
    assert source == {"why": "test"}
    return found


@pytest.mark.parametrize(
    "message",
    [
        System.create("Be kind."),
        Instruction.create(instruction="Look.", context=["a", {"b": 1}], guidance="Well."),
        AssistantResponse.create("Done."),
        ActionRequest.create("double", {"number": 2}),
        Instruction.create(instruction="again").clone(),
    ],
    ids=["system", "instruction", "answer", "request", "clone"],
)
def test_a_message_arrives_as_it_was(message: Any, registry: Registry) -> None:
    """Same kind, same content, same flag; a text becomes an instruction."""
    found = there_and_back(C.MESSAGE, message, registry)
    assert type(found) is type(message)
    assert found.to_dict() == message.to_dict()
    assert there_and_back(C.MESSAGE, "hello", registry).instruction == "hello"


@pytest.mark.parametrize("category", [C.START, C.END, C.CONDITION, C.SIGNAL])
@pytest.mark.parametrize("value", [None, 0, "", [], {"a": [1.5, True, None]}, "text"], ids=repr)
def test_a_value_arrives_as_it_was(category: PackageCategory, value: Any, registry: Registry) -> None:
    """Anything that JSON holds."""
    assert there_and_back(category, value, registry) == value


def test_nodes_arrive_as_nodes(registry: Registry) -> None:
    """One, a list, a Pile, or by id."""
    assert there_and_back(C.NODE, NODE, registry).to_dict() == NODE.to_dict()
    for several in ([NODE, Node()], pile([NODE, Node()])):
        assert [node.id for node in there_and_back(C.NODE_LIST, several, registry)] == [node.id for node in several]
    assert there_and_back(C.NODE_ID, NODE, registry) == NODE.id
    assert there_and_back(C.NODE_ID, str(NODE.id), registry) == NODE.id
    assert there_and_back(C.NODE_LIST, [], registry) == []
    assert [node.id for node in there_and_back(C.NODE_LIST, NODE, registry)] == [NODE.id]


def test_elements_arrive_as_their_dict(registry: Registry) -> None:
    """In categories without a meaning of their own."""
    log = Log.create("noted")
    assert there_and_back(C.SIGNAL, log, registry) == log.to_dict()


def test_tools_within_a_process_are_the_very_same(registry: Registry, objects: LocalObjects) -> None:
    """Functions, Tools and lists of them travel as references to this process."""
    tool = Tool(name="twice", func=double)
    assert there_and_back(C.TOOL, tool, registry, objects) == [tool]
    found = there_and_back(C.TOOL, [double, len], registry, objects)
    assert [one.func_callable for one in found] == [double, len]


def test_a_model_within_a_process_is_the_very_same(registry: Registry, objects: LocalObjects) -> None:
    """Its key stays in this process."""
    model = iModel("offline", "extractive", api_key="hidden")
    assert there_and_back(C.IMODEL, model, registry, objects) is model
    assert b"hidden" not in encode_item(C.IMODEL, model, None, "", objects)


def test_elsewhere_names_are_looked_up(registry: Registry) -> None:
    """In the registry of whoever receives them, for registered tools and for their names."""
    assert there_and_back(C.TOOL, "double", registry) == [registry.tools["double"]]
    assert there_and_back(C.TOOL, registry.tools["double"], registry) == [registry.tools["double"]]
    assert there_and_back(C.IMODEL, "quote", registry) is registry.models["quote"]
    assert there_and_back(C.IMODEL, registry.models["quote"], registry) is registry.models["quote"]


def test_a_model_travels_by_its_settings(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never with its key, only with the name of the variable that holds it, which must be allowed where it arrives."""
    monkeypatch.setenv("LION_BROKER_MODEL_KEYS", "KEY")
    model = iModel("openai", "gpt", api_key="hidden", temperature=0.5)
    assert b"hidden" not in encode_item(C.IMODEL, model, None, "p", None)
    found = there_and_back(C.IMODEL, iModel("openai", "gpt", api_key_env="KEY", temperature=0.5), registry)
    assert found.settings() == {**found.settings(), "api_key_env": "KEY", "parameters": {"temperature": 0.5}}


@pytest.mark.parametrize("sent", [{"base_url": "https://elsewhere.example/v1"}, {"api_key_env": "DATABASE_PASSWORD"}])
def test_a_mail_does_not_say_where_keys_go(registry: Registry, sent: dict[str, str]) -> None:
    """Servers and keys that this process has not allowed are refused."""
    with pytest.raises(MailMalformed, match="of this process does not allow"):
        there_and_back(C.IMODEL, iModel("openai", "gpt", **sent), registry)  # type: ignore[arg-type]  # a choice


def test_a_model_that_is_an_object_stays_in_its_process(registry: Registry) -> None:
    """It goes between branches of one process, and by its registered name to workers, but not by itself."""
    model = ScriptedModel("hello", name="my/model").imodel
    with pytest.raises(NotPortable, match="my/model is an object of this process"):
        encode_item(C.IMODEL, model, None, "p", None)
    registry.model("mine", model)
    assert there_and_back(C.IMODEL, model, registry) is model


@pytest.mark.parametrize(
    ("category", "item"),
    [
        (C.TOOL, lambda: None),
        (C.TOOL, double),
        (C.TOOL, Tool(func_callable=double)),
        (C.TOOL, ["double", len]),
        (C.SIGNAL, object()),
        (C.SIGNAL, {"open": open}),
        (C.SIGNAL, float("nan")),
        (C.SIGNAL, "half a \ud83d"),
        (C.SIGNAL, b"\xff"),
        (C.START, Branch),
        (C.NODE, Node(content=object())),
    ],
    ids=stable,
)
def test_what_cannot_travel(category: PackageCategory, item: Any) -> None:
    """An error before anything is sent, for code as for values without a JSON form."""
    with pytest.raises(NotPortable):
        encode_item(category, item, None, "p", None)


def test_a_request_source_travels_too_or_not_at_all() -> None:
    """It is data like the item."""
    with pytest.raises(NotPortable):
        encode_item(C.SIGNAL, 1, object(), "p", None)


def test_a_branch_as_request_source_is_its_id() -> None:
    """What the branch holds does not travel with it."""
    branch = Branch(name="ada", system="secret")
    assert json.loads(encode_item(C.SIGNAL, 1, branch, "p", None)) == {"item": 1, "source": str(branch.id)}


@pytest.mark.parametrize(
    ("category", "item"),
    [
        (C.MESSAGE, ""),
        (C.MESSAGE, 5),
        (C.MESSAGE, NODE),
        (C.MESSAGE, None),
        (C.TOOL, []),
        (C.TOOL, ""),
        (C.TOOL, 5),
        (C.IMODEL, 5),
        (C.IMODEL, ""),
        (C.NODE, 5),
        (C.NODE_LIST, 5),
        (C.NODE_LIST, [5]),
        (C.NODE_ID, "x"),
        (C.NODE_ID, None),
    ],
    ids=stable,
)
def test_an_item_that_does_not_fit_its_category(category: PackageCategory, item: Any) -> None:
    """A ValueError of the sender, whoever the recipient is."""
    for objects in (None, LocalObjects()):
        with pytest.raises(ValueError, match=r"carries|id"):
            encode_item(category, item, None, "", objects)


def test_ten_megabytes_are_too_much() -> None:
    """The error says how much may travel, and what to do instead."""
    with pytest.raises(MailTooLarge, match="Send a reference"):
        encode_item(C.SIGNAL, "x" * 10_000_000, None, "p", None)


def test_what_is_sent_again_is_kept_once(registry: Registry, objects: LocalObjects) -> None:
    """The same function, method, Tool or model has one reference; plain functions become a new Tool each time."""

    class Counter:
        def count(self, number: int) -> int:
            return number

    one, two = Counter(), Counter()
    tool, model = Tool(func_callable=double), iModel("offline", "extractive")
    sent = [(C.TOOL, double), (C.TOOL, tool), (C.TOOL, one.count), (C.TOOL, two.count), (C.IMODEL, model)]
    first = [encode_item(category, item, None, "", objects) for category, item in sent]
    assert len(set(first)) == len(sent)
    for _ in range(10):
        again = [(C.TOOL, double), (C.TOOL, tool), (C.TOOL, one.count), (C.TOOL, two.count), (C.IMODEL, model)]
        assert [encode_item(category, item, None, "", objects) for category, item in again] == first
    (found,), (other,) = (there_and_back(C.TOOL, double, registry, objects) for _ in range(2))
    assert found is not other
    assert found.func_callable is other.func_callable is double
    assert there_and_back(C.TOOL, one.count, registry, objects)[0].func_callable.__self__ is one
    assert there_and_back(C.IMODEL, model, registry, objects) is model


def test_names_that_nobody_knows(registry: Registry) -> None:
    """The errors list what is registered."""
    with pytest.raises(ToolUnknown, match=r"'nothing'.*double"):
        decode_item(C.TOOL, {"item": [{"ref": "nothing"}]}, registry, None, *MAIL)
    with pytest.raises(ItemNotFoundError, match=r"'nothing'.*quote"):
        decode_item(C.IMODEL, {"item": {"ref": "nothing"}}, registry, None, *MAIL)


def test_a_reference_of_another_process(registry: Registry, objects: LocalObjects) -> None:
    """It is never looked up by its name instead: that could be another function."""
    tools = json.loads(encode_item(C.TOOL, double, None, "", objects))
    model = json.loads(encode_item(C.IMODEL, iModel("offline", "extractive"), None, "", objects))
    for other in (None, LocalObjects()):
        with pytest.raises(ToolUnknown, match="another process"):
            decode_item(C.TOOL, tools, registry, other, *MAIL)
        with pytest.raises(ItemNotFoundError, match="another process"):
            decode_item(C.IMODEL, model, registry, other, *MAIL)


@pytest.mark.parametrize(
    ("category", "body"),
    [
        (C.SIGNAL, None),
        (C.SIGNAL, []),
        (C.SIGNAL, {"other": 1}),
        (C.MESSAGE, {"item": None}),
        (C.MESSAGE, {"item": {"metadata": {"lion_class": "os.system"}}}),
        (C.MESSAGE, {"item": {"metadata": {"lion_class": "Node"}}}),
        (C.MESSAGE, {"item": {"metadata": {"lion_class": "Instruction"}, "content": 5}}),
        (C.MESSAGE, {"item": {"metadata": {"lion_class": ["Instruction"]}}}),
        (C.NODE, {"item": 5}),
        (C.NODE, {"item": {"metadata": {"lion_class": "Branch"}, "id": str(IDType.create())}}),
        (C.NODE_LIST, {"item": {}}),
        (C.NODE_LIST, {"item": [5]}),
        (C.MESSAGE, {"item": ""}),
        (C.MESSAGE, {"item": ["hello"]}),
        (C.TOOL, {"item": "double"}),
        (C.TOOL, {"item": [5]}),
        (C.IMODEL, {"item": "quote"}),
        (C.IMODEL, {"item": {"settings": 5}}),
        (C.IMODEL, {"item": {"settings": {"provider": "x"}}}),
        (C.IMODEL, {"item": {"settings": {"provider": "x", "model": "y", "nonsense": 1}}}),
    ],
    ids=stable,
)
def test_hostile_bodies(category: PackageCategory, body: Any, registry: Registry) -> None:
    """What is no item of its category is malformed; nothing is imported or made for it."""
    with pytest.raises(MailMalformed):
        decode_item(category, body, registry, LocalObjects(), *MAIL)
