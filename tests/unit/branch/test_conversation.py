"""A conversation as data: searching it, counting it, and what was said first and last."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lion_broker import (
    ActionRequest,
    ActionResponse,
    AssistantResponse,
    Branch,
    ConfigError,
    Instruction,
    System,
)

NOON = datetime(2025, 1, 31, 12, tzinfo=UTC)


def at(hours: int) -> dict[str, Any]:
    """The time of a message, in hours after noon."""
    return {"created_at": NOON + timedelta(hours=hours)}


@pytest.fixture
def branch() -> Branch:
    """A question, a call of a tool with its outcome, and two answers, an hour apart."""
    question = Instruction(content={"instruction": "How heavy is a lion?", "context": []}, sender="ada", **at(1))
    request = ActionRequest.create("weigh", {"animal": "lion"}, sender="ben")
    outcome = ActionResponse.create(request, "190 kg")
    first = AssistantResponse(content={"assistant_response": "Let me look (soon)."}, sender="ben", **at(2))
    last = AssistantResponse(content={"assistant_response": "A Lion has 190 kg."}, sender="ben", **at(3))
    said = [System(content={"system_message": "Be brief."}, **at(0)), question, first, request, outcome, last]
    return Branch(name="zoo", user="ada", messages=said, tools=[sorted], chat_model="offline/extractive")


def texts(messages: Any) -> list[str]:
    """What was said."""
    return [message.text for message in messages]


def test_first_and_last_of_each_kind(branch: Branch) -> None:
    """The messages themselves; contents are copies."""
    said = branch.messages.values()
    assert (branch.first_message, branch.last_message) == (said[0], said[5])
    assert (branch.first_system, branch.last_system) == (said[0], said[0])
    assert (branch.first_instruction, branch.last_instruction) == (said[1], said[1])
    assert (branch.first_response, branch.last_response) == (said[2], said[5])
    assert (branch.first_action_request, branch.last_action_request) == (said[3], said[3])
    assert (branch.first_action_response, branch.last_action_response) == (said[4], said[4])
    assert branch.last_message_content == branch.last_response_content == {"assistant_response": "A Lion has 190 kg."}
    assert branch.last_message_content is not said[5].content


def test_all_of_each_kind(branch: Branch) -> None:
    """Piles, also under LionAGI's older names."""
    said = branch.messages.values()
    assert branch.responses.values() == branch.assistant_responses.values() == [said[2], said[5]]
    assert branch.instructions.values() == [said[1]]
    assert branch.action_requests.values() == branch.action_request.values() == [said[3]]
    assert branch.action_responses.values() == branch.action_response.values() == [said[4]]


def test_an_empty_conversation() -> None:
    """Nothing is first or last, and counts are zero."""
    branch = Branch()
    assert (branch.first_message, branch.last_message, branch.last_response_content) == (None, None, None)
    assert branch.info == branch.sender_info == {"total": 0}
    assert not branch.search_keywords("x")
    assert branch.chat_messages == branch.chat_messages_with_sender == []
    assert branch.describe["first_messages"] == []


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"keywords": "lion"}, [1, 3, 4, 5]),
        ({"keywords": "Lion", "case_sensitive": True}, [5]),
        ({"keywords": ["brief", "(soon)"]}, [0, 2]),
        ({"keywords": r"\d+ KG", "regex": True}, [4, 5]),
        ({"keywords": [r"^be", r"\?$"], "regex": True}, [0, 1]),
        ({"keywords": r"\d+"}, []),
    ],
    ids=str,
)
def test_keywords(branch: Branch, given: dict[str, Any], found: list[int]) -> None:
    """Plain text unless regular expressions are asked for; one of a list is enough."""
    said = branch.messages.values()
    assert branch.search_keywords(**given).values() == [said[place] for place in found]


@pytest.mark.parametrize("keywords", ["", [], [""], ["x", 7], None, 7], ids=str)
def test_keywords_that_are_none(branch: Branch, keywords: Any) -> None:
    """An empty text would find everything, which nobody means."""
    with pytest.raises(ConfigError, match="keyword"):
        branch.search_keywords(keywords)


@pytest.mark.parametrize(
    "keywords", ["(", ["a", "["], "a{9999999999}", ["a", "(?i)b"], ["(?P<x>a)", "(?P<x>b)"]], ids=str
)
def test_broken_expressions(branch: Branch, keywords: Any) -> None:
    """An error of this package, which shows the expression."""
    with pytest.raises(ConfigError, match="regular expression"):
        branch.search_keywords(keywords, regex=True)


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({}, [0, 1, 2, 3, 4, 5]),
        ({"role": "assistant"}, [2, 5]),
        ({"role": ["system", "user"]}, [0, 1]),
        ({"sender": "ben", "content_keywords": "look"}, [2]),
        ({"sender": "system"}, [0]),
        ({"recipient": "ben"}, [4]),
        ({"role": "assistant", "start_time": NOON + timedelta(hours=2)}, [5]),
        ({"end_time": "2025-01-31T14:00:00+00:00"}, [0, 1]),
        ({"start_time": NOON.timestamp(), "end_time": (NOON + timedelta(hours=3)).timestamp()}, [1, 2]),
        ({"content_keywords": "Lion", "case_sensitive": True}, [5]),
    ],
    ids=str,
)
def test_filters(branch: Branch, given: dict[str, Any], found: list[int]) -> None:
    """All that is given must fit; times are exclusive."""
    said = branch.messages.values()
    assert branch.filter_by(**given).values() == [said[place] for place in found]


def test_filtering_by_a_branch() -> None:
    """Who sent or got a message may be given as the branch itself, its id or the text of it."""
    ada, ben = Branch(name="ada"), Branch(name="ben")
    ada.messages.include(Instruction.create("Hello.", sender=ben, recipient=ada))
    for who in (ben, ben.id, str(ben.id)):
        assert len(ada.filter_by(sender=who)) == 1
        assert len(ada.filter_by(recipient=who)) == 0


@pytest.mark.parametrize(
    "given",
    [
        {"role": "nobody"},
        {"role": 7},
        {"start_time": "yesterday"},
        {"end_time": float("nan")},
        {"end_time": True},
        {"sender": 7},
        {"content_keywords": ""},
    ],
    ids=str,
)
def test_filters_that_are_none(branch: Branch, given: dict[str, Any]) -> None:
    """They are refused, rather than finding nothing."""
    with pytest.raises(ConfigError):
        branch.filter_by(**given)


def test_counts(branch: Branch) -> None:
    """By role and by sender, with the total."""
    assert branch.info == {"system": 1, "user": 1, "assistant": 2, "action": 2, "total": 6}
    assert branch.sender_info == {"system": 1, "ada": 1, "ben": 3, "unset": 1, "total": 6}


def test_at_a_glance(branch: Branch) -> None:
    """Names, counts, and up to five messages at either end."""
    shown = branch.describe
    assert shown == branch.messages_describe()
    assert (shown["id"], shown["name"], shown["user"], shown["total_messages"]) == (branch.id, "zoo", "ada", 6)
    assert (shown["summary_by_role"], shown["summary_by_sender"]) == (branch.info, branch.sender_info)
    assert (shown["tools"], shown["models"]) == (["sorted"], {"chat": "offline/extractive"})
    assert [len(shown["first_messages"]), len(shown["last_messages"])] == [5, 5]
    assert shown["last_messages"][-1] == branch.messages[5].to_dict()


def test_as_chat_messages(branch: Branch) -> None:
    """The view that a model reads, the system message first, and the same with the senders' names."""
    branch.msgs.progression = [branch.messages[5].id, branch.messages[1].id]
    assert branch.chat_messages[0]["content"] == "Be brief."
    assert [message["content"] for message in branch.chat_messages_with_sender] == [
        "Sender system: Be brief.",
        "Sender ben: A Lion has 190 kg.",
        "Sender ada: " + branch.messages[1].text,
    ]
    picture = Instruction.create("Look.", images="https://example.org/lion.jpg", sender="ada")
    branch.extend(picture)
    content = branch.chat_messages_with_sender[-1]["content"]
    assert content[0] == {"type": "text", "text": "Sender ada: "}
    assert [part["type"] for part in content] == ["text", "text", "image_url"]
