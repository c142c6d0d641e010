"""Messages made of what this package wrote are the same as those that pydantic makes, and odd ones go to pydantic."""

from copy import deepcopy
from typing import Any

import pytest

from lion_broker import ActionRequest, ActionResponse, AssistantResponse, Instruction, LionError, RoledMessage, System
from lion_broker.branch.items import unread_item
from lion_broker.core.deferred import Deferred
from lion_broker.core.ids import IDType
from lion_broker.mail.package import PackageCategory
from lion_broker.mail.wire import encode_json
from lion_broker.messages.written import UnreadText, message_of, text_item, unread_clone

REQUEST = ActionRequest.create("add", {"a": 1})
MESSAGES: list[RoledMessage] = [
    System.create("Be brief.", sender="someone"),
    Instruction.create("Do.", context=[{"a": [1, 2.5, None]}], sender=IDType.create(), recipient="user"),
    AssistantResponse.create({"choices": [{"message": {"content": "Done."}}]}),
    REQUEST,
    ActionResponse.create(REQUEST, 3),
    Instruction.create("Do.").clone(sender=IDType.create()),
    Instruction.create("Do {instruction}.", template="{instruction}"),
]
ODD: list[dict[str, Any]] = [
    {"id": "no id"},
    {"id": "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"},
    {"created_at": 5},
    {"created_at": "2026-01-01"},
    {"created_at": -1.0},
    {"metadata": {}},
    {"metadata": {"lion_class": "Nobody"}},
    {"metadata": {"lion_class": ["Instruction"]}},
    {"metadata": {"lion_class": "Node"}},
    {"role": "nobody"},
    {"role": None},
    {"content": []},
    {"sender": None},
    {"sender": ""},
    {"flag": "MESSAGE_CLONE"},
    {"embedding": [1.0]},
    {"more": 1},
]

PARTIES: dict[str, Any] = {
    "sender": IDType.create(),
    "recipient": IDType.create(),
    "id": IDType.create(),
    "created_at": 12.5,
}


def clone_of(values: dict[str, Any], **parties: Any) -> RoledMessage:
    """The clone of a written message, made."""
    clone = unread_clone(values, **parties)
    return clone.made() if isinstance(clone, Deferred) else clone


def fields(message: RoledMessage) -> dict[str, Any]:
    """All that a message is."""
    return {"kind": type(message), "fields": message.__dict__, "again": message.to_dict(), "text": message.text}


def outcome(make: Any, *given: Any, **more: Any) -> Any:
    """What a call returns, or the class of what it raises."""
    try:
        return fields(make(*given, **more))
    except LionError as error:
        return type(error)


@pytest.mark.parametrize("message", MESSAGES, ids=["system", "asked", "said", "call", "output", "clone", "template"])
def test_the_same_as_from_pydantic(message: RoledMessage) -> None:
    """A message and its clone, from the values that it was written as."""
    values = message.to_dict()
    slow = RoledMessage.from_dict(deepcopy(values), loaded=False)
    assert fields(message_of(deepcopy(values))) == fields(slow)
    clone = clone_of(deepcopy(values), **PARTIES)
    assert fields(clone) == fields(slow.clone(**PARTIES))
    assert type(clone.sender) is type(clone.id) is IDType


@pytest.mark.parametrize("odd", ODD, ids=str)
def test_odd_values_are_looked_at(odd: dict[str, Any]) -> None:
    """What is not as `to_dict` writes it becomes what pydantic makes of it, or its error."""
    values = Instruction.create("Do.").to_dict() | odd
    expected = outcome(RoledMessage.from_dict, deepcopy(values), loaded=False)
    assert outcome(message_of, deepcopy(values)) == expected
    slow = (
        expected
        if isinstance(expected, type)
        else fields(RoledMessage.from_dict(values, loaded=False).clone(**PARTIES))
    )
    assert outcome(clone_of, deepcopy(values), **PARTIES) == slow


def test_made_messages_are_messages() -> None:
    """They are changed, watched and copied like all others, and share nothing."""
    values = Instruction.create("Do.").to_dict()
    first, second = (message_of(deepcopy(values)) for _ in range(2))
    told: list[RoledMessage] = []
    first.observe(told.append)
    first.update(instruction="Do more.")
    first.metadata = {"a": 1}
    assert told == [first, first]
    assert (first.text, second.text) != (second.text, first.text)
    assert second.metadata == {}
    assert first.model_copy(deep=True).content == first.content


class Remark(Instruction):
    """A kind of message that its user has made, with a field of its own."""

    loud: bool = False


def test_kinds_of_others_go_the_usual_way() -> None:
    """What this package does not know it does not guess at."""
    message = message_of(Remark(loud=True).to_dict() | {"loud": "yes"})
    assert isinstance(message, Remark)
    assert message.loud is True


def test_a_text_stands_for_an_instruction() -> None:
    """One with the id and the time of the mail that brings it, so that every reader makes the same one."""
    clone = unread_clone("hello", **PARTIES)
    assert isinstance(clone, UnreadText)
    original = Instruction.dict_of("hello", PARTIES["id"], PARTIES["created_at"])
    assert fields(clone.made()) == fields(clone_of(original, **PARTIES))
    assert clone.made().metadata["clone_from"]["original_id"] == PARTIES["id"]
    shown = ("id", "created_at", "sender", "recipient", "role", "content", "text")
    assert [getattr(clone, name) for name in shown] == [getattr(clone.made(), name) for name in shown]
    assert (clone.is_clone(), clone.is_loaded()) == (clone.made().is_clone(), clone.made().is_loaded())
    with pytest.raises((LionError, ValueError, TypeError)):
        unread_clone("", **PARTIES)


@pytest.mark.parametrize(
    "odd", [{"id": "no id"}, {"created_at": -1.0}, {"created_at": 1e300}, {"created_at": float("nan")}]
)
def test_a_text_of_which_no_message_can_be_made_is_refused_at_once(odd: dict[str, Any]) -> None:
    """And not when somebody looks at it."""
    parties = PARTIES | odd
    assert text_item("hello", parties["id"], parties["created_at"]) is None
    with pytest.raises((LionError, ValueError)):
        unread_clone("hello", **parties)


def item_of(said: Any, **odd: Any) -> Any:
    """What can be made later of the item of a mail's body."""
    values = {"mail": PARTIES["id"], "created": PARTIES["created_at"]} | odd
    return unread_item(PackageCategory.MESSAGE, {"item": said}, encode_json({"item": said}, "body"), **values)


@pytest.mark.parametrize("said", ["hello", *(one.to_dict() for one in MESSAGES[:-2])])
def test_what_a_mail_brings_is_made_later(said: Any) -> None:
    """Item and history have what they would have at once, each its own; the value of the body stays as it was."""
    before = deepcopy(said)
    item = item_of(said)
    message, clone = item.make(), item.clone(PARTIES["sender"], PARTIES["recipient"])
    written = Instruction.dict_of(said, PARTIES["id"], PARTIES["created_at"]) if type(said) is str else deepcopy(said)
    expected = RoledMessage.from_dict(written, loaded=False)
    assert fields(message) == fields(expected)
    joined = clone.made() if isinstance(clone, Deferred) else clone
    assert fields(joined) == fields(expected.clone(**PARTIES))
    joined.content["more"] = joined.metadata["more"] = 1
    assert ("more" in message.content, "more" in message.metadata) == (False, False)
    assert said == before


@pytest.mark.parametrize("odd", [{"mail": "no id"}, {"created": -1.0}, {"created": 1}])
@pytest.mark.parametrize("said", ["hello", MESSAGES[0].to_dict()])
def test_what_might_fail_is_made_at_once(said: Any, odd: dict[str, Any]) -> None:
    """An odd id or time of the mail, and whatever is no usual message."""
    assert item_of(said, **odd) is None
    wrongs: list[Any] = ["", None, 5, [], {}, {"metadata": 1}, *(one.to_dict() for one in MESSAGES[-2:])]
    for wrong in wrongs:
        assert item_of(wrong) is None
