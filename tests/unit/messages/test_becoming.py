"""A message that takes over what another one says, and a conversation's system message."""

import pytest

from lion_broker import AssistantResponse, ConfigError, Instruction, MessageManager, System


def test_it_says_what_the_other_says() -> None:
    """Everything but id and time; the watchers hear of it once, and of nothing when nothing differs."""
    message, other = Instruction.create("Hello."), Instruction.create("Good bye.", sender="ada")
    heard: list[str] = []
    message.observe(lambda changed: heard.append(changed.text))
    before = message.id, message.created_at
    assert message.become(other)
    assert not message.become(other)
    assert (message.text, message.sender, (message.id, message.created_at)) == ("Good bye.", "ada", before)
    assert heard == ["Good bye."]
    other.update(instruction="changed")
    assert message.text == "Good bye."


def test_kinds_stay_apart() -> None:
    """An instruction does not become an answer."""
    with pytest.raises(ConfigError, match="cannot become a AssistantResponse"):
        Instruction.create("x").become(AssistantResponse.create("y"))  # type: ignore[arg-type]  # what is tested


def test_clearing_keeps_a_system_message_that_nobody_has_asked_for_yet() -> None:
    """It may have come with others, read from a log."""
    conversation = MessageManager()
    conversation.messages.include([System.create("Be kind."), Instruction.create("Hello.")])
    conversation.clear_messages()
    assert [message.text for message in conversation.messages] == ["Be kind."]


def test_another_system_message_where_it_stands() -> None:
    """One of the messages becomes the system message and keeps its place; nothing else can."""
    first, second, said = System.create("One."), System.create("Two."), Instruction.create("Hello.")
    conversation = MessageManager(messages=[first, said, second])
    conversation.system = second
    assert conversation.system is second
    assert conversation.messages.keys() == [first.id, said.id, second.id]
    for odd in (said, System.create("Three.")):
        with pytest.raises(ConfigError, match="no system message of this conversation"):
            conversation.system = odd
