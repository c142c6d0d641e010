"""What all messages have in common."""

from typing import Any
from uuid import uuid4

import pytest

from lion_broker.core.element import Element
from lion_broker.core.ids import IDType
from lion_broker.core.log import Log
from lion_broker.errors import ConfigError, ItemNotFoundError, NotPortable
from lion_broker.messages import (
    AssistantResponse,
    Instruction,
    MessageFlag,
    MessageRole,
    RoledMessage,
    validate_sender_recipient,
)


def test_who_somebody_is() -> None:
    """Ids, elements and role names are recognised; other text is a name."""
    element, uuid = Element(), uuid4()
    assert validate_sender_recipient(str(element.id)) == element.id
    assert type(validate_sender_recipient(str(element.id))) is IDType
    assert validate_sender_recipient(element) is element.id
    assert validate_sender_recipient(uuid) == str(uuid)
    assert validate_sender_recipient("user") is MessageRole.USER
    assert validate_sender_recipient(None) is MessageRole.UNSET
    assert validate_sender_recipient("alice") == "alice"


@pytest.mark.parametrize("value", [5, "", [], object()])
def test_who_nobody_is(value: Any) -> None:
    """Empty text and other objects are no sender, nor when a message is made or changed."""
    with pytest.raises(ValueError, match="A sender or recipient is"):
        validate_sender_recipient(value)
    with pytest.raises(ValueError, match="sender"):
        RoledMessage(sender=value)
    message = RoledMessage()
    with pytest.raises(ValueError, match="recipient"):
        message.recipient = value
    assert message.recipient is MessageRole.UNSET


def test_content_is_a_copy() -> None:
    """The content is plain JSON of its own; what has no JSON form is refused."""
    source = {"a": [1, (2,)], 3: MessageRole.USER}
    message = RoledMessage(content=source)
    source["a"].append(4)  # type: ignore[attr-defined]
    assert message.content == {"a": [1, [2]], "3": "user"}
    with pytest.raises(NotPortable, match=r"content: .* type object"):
        Instruction.create(object())


def test_a_message_as_text() -> None:
    """Without a kind of its own or a template a message is the JSON of its content."""
    message = RoledMessage(content={"a": "ä"}, role="user")
    assert message.chat_msg == {"role": "user", "content": '{"a": "ä"}'}
    assert str(message) == 'user: {"a": "ä"}'
    assert message.image_content is None
    assert "\n" not in repr(Instruction.create("a\n" * 100))


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("Say {a} to {b}!", 'Say "x" to ["y"]!'),
        ("{missing}", None),
        ("{a.__class__}", None),
        ("{b[0]}", None),
        ("{a:>9999999999}", None),
        ("{", None),
    ],
)
def test_templates_fill_in_names(template: str, text: str | None) -> None:
    """A template may name values of the content; one that asks for more gives the JSON of the content."""
    message = RoledMessage(content={"a": '"x"', "b": ["y"]}, template=template)
    assert message.rendered == (text or '{"a": "\\"x\\"", "b": ["y"]}')
    assert RoledMessage.from_dict(message.to_dict()).template == template


def test_clones_share_nothing() -> None:
    """A clone is a new message that says where it is from; changes in one are not seen in the other."""
    original = Instruction.create("a", context=[{"b": 1}], sender="alice", recipient="bob")
    original.metadata["extra"] = {"c": []}
    clone = original.clone()
    assert clone != original
    assert (clone.sender, clone.recipient, clone.role) == ("unset", "unset", "user")
    assert clone.content == original.content
    assert clone.flag is MessageFlag.MESSAGE_CLONE
    assert clone.is_clone()
    assert not original.is_clone()
    assert clone.metadata["clone_from"] == {
        "original_id": original.id,
        "created_at": original.created_at,
        "sender": "alice",
        "recipient": "bob",
        "lion_class": "Instruction",
        "role": "user",
    }
    clone.content["context"][0]["b"] = 2
    clone.metadata["extra"]["c"].append(1)
    assert original.context == [{"b": 1}]
    assert original.metadata == {"extra": {"c": []}}


def test_a_clone_of_a_clone_is_flat() -> None:
    """The record names the message that was cloned, without a record inside."""
    first = AssistantResponse.create("a").clone()
    second = first.clone(sender="x", recipient=first, keep_role=False)
    assert second.metadata["clone_from"]["original_id"] == first.id
    assert "clone_from" not in second.metadata["clone_from"]
    assert (second.sender, second.recipient, second.role) == ("x", first.id, "unset")


def test_a_clone_with_a_given_identity() -> None:
    """Id and time of a clone can be given, so that a repeated step makes the same message."""
    id_ = IDType.create()
    clone = RoledMessage().clone(id=str(id_), created_at=12)
    assert (clone.id, clone.created_at) == (id_, 12.0)


def test_flags_of_what_is_read() -> None:
    """A message that is read is flagged as loaded, or as it was when it was written."""
    clone = AssistantResponse.create("a").clone()
    written = clone.to_dict()
    assert written["flag"] == "MESSAGE_CLONE"
    loaded = RoledMessage.from_dict(written)
    assert loaded.is_loaded()
    assert loaded.is_clone()
    assert RoledMessage.from_dict(written, loaded=False).flag is MessageFlag.MESSAGE_CLONE
    assert AssistantResponse.from_dict(AssistantResponse.create("a").to_dict(), loaded=False).flag is None


def test_kinds_are_restored() -> None:
    """A dict becomes the kind that it names; unknown and foreign kinds are errors."""
    written = AssistantResponse.create("a").to_dict()
    assert type(RoledMessage.from_dict(written)) is AssistantResponse
    with pytest.raises(ConfigError, match="not a Instruction"):
        Instruction.from_dict(written)
    with pytest.raises(ItemNotFoundError, match="No class of elements is named 'Gossip'"):
        RoledMessage.from_dict({"metadata": {"lion_class": "Gossip"}})
    with pytest.raises(ConfigError, match="The dict holds a Log, not a RoledMessage"):
        RoledMessage.from_dict(Log.create("a").to_dict())
    with pytest.raises(ConfigError, match="not a valid Instruction: role"):
        RoledMessage.from_dict({"metadata": {"lion_class": "Instruction"}, "role": "robot"})


def test_content_that_looks_like_an_element_stays_content() -> None:
    """A message that quotes the dict of an element keeps it as a dict."""
    message = RoledMessage(content=Log.create("a").to_dict())
    assert RoledMessage.from_dict(message.to_dict()).content == message.content


def test_watchers_hear_each_change_once() -> None:
    """Assigning a field, a property or many things by update is one change; an error or nothing is none."""
    message, heard = Instruction.create("a"), list[Any]()
    message.observe(heard.append)
    message.observe(heard.append)
    message.sender = "alice"
    message.guidance = "b"
    message.content = {"instruction": "c"}
    message.update(sender="bob", recipient="carol", template="{x}", guidance="d", x=1)
    assert heard == [message] * 4
    message.update()
    with pytest.raises(ValueError, match="sender"):
        message.update(sender=5, guidance="e")
    message.unobserve(print)
    message.unobserve(heard.append)
    message.guidance = "not heard"
    assert len(heard) == 4
    assert (message.sender, message.recipient, message.text) == ("bob", "carol", "1")


def test_forgetting_all_watchers() -> None:
    """None forgets all callbacks, and a clone has none from the start."""
    message, heard = RoledMessage(), list[Any]()
    message.observe(heard.append)
    message.clone().update(a=1)
    message.observe(None)
    message.update(a=1)
    assert heard == []


def test_a_log_of_a_message() -> None:
    """A message can be recorded as it is now."""
    message = RoledMessage(content={"a": 1})
    assert message.to_log().content == message.to_dict()
