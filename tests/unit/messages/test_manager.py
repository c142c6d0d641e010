"""MessageManager: the conversation of a branch, its system message and its view."""

from typing import Any

import pytest

from lion_broker.core.ids import IDType
from lion_broker.core.pile import Pile, PileChange
from lion_broker.core.progression import Progression
from lion_broker.errors import ConfigError, ItemNotFoundError
from lion_broker.messages import (
    ActionRequest,
    ActionResponse,
    ActionResponseModel,
    AssistantResponse,
    Instruction,
    MessageManager,
    RoledMessage,
    System,
)


@pytest.fixture
def talk() -> MessageManager:
    """A system message, a question and an answer."""
    manager = MessageManager(system=System.create("Be brief."))
    manager.add_message(instruction="2+2?")
    manager.add_message(assistant_response="4")
    return manager


def texts(manager: MessageManager, progression: Any = None) -> list[str]:
    """What a model reads."""
    return [message["content"] for message in manager.to_chat_msgs(progression)]


def test_every_form_of_messages(talk: MessageManager) -> None:
    """A pile, its dict, messages, and their dicts are all taken, and the system message is found."""
    pile = talk.messages
    written = [message.to_dict() for message in pile]
    for given, loaded in ((pile, False), (pile.values(), False), (pile.to_dict(), True), (written, True)):
        manager = MessageManager(given)
        assert texts(manager) == ["Be brief.", "2+2?", "4"]
        assert manager.system == talk.system
        assert all(message.is_loaded() == loaded for message in manager.messages)
    assert len(MessageManager()) == 0
    assert not MessageManager(None)
    with pytest.raises(TypeError, match="holds RoledMessage only"):
        MessageManager([Pile()])


def test_the_pile_that_was_given_is_not_shared(talk: MessageManager) -> None:
    """Two conversations from one pile grow apart."""
    manager = MessageManager(talk.messages)
    manager.add_message(instruction="3+3?")
    assert len(talk) == 3


def test_the_system_message_leads(talk: MessageManager) -> None:
    """A new system message takes the head and the place of the old one, which is gone."""
    before = talk.system
    assert isinstance(before, System)
    talk.add_message(system="Be kind.")
    assert texts(talk) == ["Be kind.", "2+2?", "4"]
    assert before not in talk
    assert talk.messages[0] is talk.system
    with pytest.raises(ConfigError, match="is a System, not"):
        talk.set_system("Be kind.")  # type: ignore[arg-type]


def test_a_system_message_in_the_middle_is_read_first() -> None:
    """A System among the messages is the system message wherever it stands, unless it is a clone."""
    system = System.create("Be brief.")
    assert texts(MessageManager([Instruction.create("a"), system])) == ["Be brief.", "a"]
    assert MessageManager([Instruction.create("a"), system.clone()]).system is None
    assert MessageManager([system.clone(), Instruction.create("a")]).system is not None


def test_a_system_message_again(talk: MessageManager) -> None:
    """Changing the system message that is there, or giving it again, leaves one of it."""
    system = talk.system
    talk.add_message(system=system, system_datetime="noon")
    assert texts(talk)[0] == "Date and time: noon\n\nBe brief."
    talk.add_message(system=System.from_dict(talk.messages[0].to_dict()))
    assert len(talk) == 3


def test_one_kind_at_a_time(talk: MessageManager) -> None:
    """Two kinds in one call are refused; no kind at all is an empty instruction."""
    with pytest.raises(ConfigError, match="only one of"):
        talk.add_message(instruction="a", assistant_response="b")
    with pytest.raises(ConfigError, match="needs the action_request"):
        talk.add_message(action_output=1)
    assert isinstance(talk.add_message(), Instruction)


@pytest.mark.parametrize("output", [0, "", [], None])
def test_calls_and_outcomes(talk: MessageManager, output: Any) -> None:
    """A call may have no arguments, and its outcome may be nothing."""
    request = talk.add_message(action_function="now", action_arguments={}, sender="a", recipient="b")
    assert isinstance(request, ActionRequest)
    response = talk.add_message(action_request=request, action_output=output)
    assert isinstance(response, ActionResponse)
    assert response.output == output
    assert (talk.action_requests.values(), talk.action_responses.values()) == ([request], [response])


def test_an_outcome_as_a_model(talk: MessageManager) -> None:
    """The outcome may come as an ActionResponseModel, or as a response that is there."""
    request = talk.create_action_request("f")
    response = talk.add_message(action_request=request, action_response=ActionResponseModel(function="f", output=1))
    assert isinstance(response, ActionResponse)
    assert talk.add_message(action_request=request, action_response=response, action_output=2) is response
    assert response.output == 2
    with pytest.raises(ConfigError, match="answers an ActionRequest"):
        talk.create_action_response("f")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="needs the function"):
        talk.create_action_request()
    with pytest.raises(ConfigError, match="action_request is an ActionRequest"):
        talk.add_message(action_request="f")  # type: ignore[arg-type]


def test_a_message_that_is_given_is_changed(talk: MessageManager) -> None:
    """A known message keeps its place, a new one is added; metadata goes to `extra`."""
    asked, said = talk.last_instruction, talk.last_response
    assert talk.add_message(instruction=asked, guidance="Count.", metadata={"a": 1}) is asked
    assert talk.add_message(assistant_response=said, sender="m") is said
    assert talk.add_message(action_request=ActionRequest.create("f"), sender="b").sender == "b"
    assert len(talk) == 4
    assert asked is not None
    assert asked.guidance == "Count."
    assert asked.metadata == {"extra": {"a": 1}}
    newer = Instruction.from_dict(asked.to_dict())
    talk.add_message(instruction=newer)
    assert talk.messages[1] is newer


def test_kinds_in_piles(talk: MessageManager) -> None:
    """The last and all messages of a kind are found."""
    assert talk.last_response is talk.assistant_responses[-1]
    assert talk.last_instruction is talk.instructions[-1]
    talk.clear_messages()
    assert MessageManager().last_response is None
    assert MessageManager().last_instruction is None
    assert not talk.assistant_responses
    assert texts(talk) == ["Be brief."]


def test_the_view(talk: MessageManager) -> None:
    """The view chooses what a model reads; later messages join it, what left is not seen, None is all."""
    system, asked, said = talk.messages
    talk.progression = [said]
    assert texts(talk) == ["Be brief.", "4"]
    later = talk.add_message(instruction="3+3?")
    assert talk.progression == Progression([said, later])
    talk.messages.remove(said)
    assert talk.progression == Progression([later])
    talk.add_message(system="Be kind.")
    assert texts(talk) == ["Be kind.", "3+3?"]
    talk.progression = None
    assert texts(talk) == ["Be kind.", "2+2?", "3+3?"]
    assert system not in talk
    assert asked in talk


def test_a_view_from_the_start(talk: MessageManager) -> None:
    """A conversation can start with a view; a view of messages that are not here is refused."""
    asked, said = talk.messages[1:]
    manager = MessageManager(talk.messages, progression=Progression([said, asked]))
    assert texts(manager) == ["Be brief.", "4", "2+2?"]
    with pytest.raises(ItemNotFoundError, match="are not in this conversation"):
        manager.progression = [IDType.create()]


def test_chat_messages_of_a_choice(talk: MessageManager) -> None:
    """Messages can be named one by one; none are none, and unknown ones are a ValueError."""
    said = talk.messages[2]
    assert texts(talk, [said]) == ["Be brief.", "4"]
    assert talk.to_chat_msgs([]) == []
    with pytest.raises(ValueError, match="are not in this conversation"):
        talk.to_chat_msgs([IDType.create()])


def test_tools_and_outcomes_of_the_past(talk: MessageManager) -> None:
    """Tool schemas are taken out of the last instruction, and fresh outcomes join the next one."""
    talk.add_message(instruction="Search.", tool_schemas=[{"name": "f"}])
    talk.remove_last_instruction_tool_schemas()
    assert texts(talk)[-1] == "Search."
    request = ActionRequest.create("f")
    for output in (1, 2):
        talk.add_message(action_request=request, action_output=output)
    following = Instruction.create("Go on.", context="first")
    talk.concat_recent_action_responses_to_instruction(following)
    assert [part if isinstance(part, str) else part["output"] for part in following.context] == [
        "first",
        1,
        2,
    ]


def test_one_source_of_changes(talk: MessageManager) -> None:
    """An observer hears of new messages and of changes made in place, whoever makes them."""
    changes = list[PileChange[RoledMessage]]()
    talk.observe(changes.append)
    said = talk.last_response
    assert said is not None
    said.response = "four"
    talk.add_message(instruction="3+3?")
    talk.messages.include(AssistantResponse.create("6"))
    assert [(change.kind, change.items[0].text) for change in changes] == [
        ("include", "four"),
        ("include", "3+3?"),
        ("include", "6"),
    ]
    talk.clear_messages()
    assert changes[-1].kind == "exclude"
    said.response = "not heard"
    assert changes[-1].kind == "exclude"


@pytest.mark.anyio
async def test_from_a_task(talk: MessageManager) -> None:
    """The verbs for coroutines may be used inside a hold of the same task."""
    async with talk.messages:
        await talk.a_add_message(instruction="3+3?")
    assert len(talk) == 4
    await talk.aclear_messages()
    assert repr(talk) == "MessageManager(1 message, system=True)"
