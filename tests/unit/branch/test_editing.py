"""Changing a conversation: taking back, removing, replacing, appending. Each takes effect whole or not at all."""

from typing import Any

import pytest

from lion_broker import (
    ActionRequest,
    ActionResponse,
    AssistantResponse,
    Branch,
    BranchError,
    ConfigError,
    Instruction,
    ItemNotFoundError,
    MessageRole,
    NotPortable,
    RoledMessage,
    System,
)
from lion_broker.branch.editing import EDITS, apply_edit, in_pieces
from lion_broker.errors import MailTooLarge


@pytest.fixture
def branch() -> Branch:
    """A system message, a question and an answer."""
    branch = Branch(name="zoo", system="Be brief.")
    answer = AssistantResponse.create({"content": "A lion is a cat.", "usage": 7})
    branch.messages.include([Instruction.create("What is a lion?", context=["a Lion"]), answer])
    return branch


def said(branch: Branch) -> list[str]:
    """What was said."""
    return [message.text for message in branch.messages]


def state(branch: Branch) -> list[dict[str, Any]]:
    """Everything that the messages hold."""
    return [message.to_dict() for message in branch.messages]


def test_rolling_back(branch: Branch) -> None:
    """The last messages go; their ids are returned."""
    last = branch.messages[2].id
    assert branch.rollback(0) == []
    assert branch.rollback(1) == [last]
    assert len(branch.rollback(2)) == 2
    assert said(branch) == []


@pytest.mark.parametrize("steps", [-1, 4, 1.0, True, "1", None])
def test_rolling_back_too_far(branch: Branch, steps: Any) -> None:
    """More than there is, or no number: nothing goes."""
    with pytest.raises(ConfigError, match="from 0 to 3"):
        branch.rollback(steps)
    assert len(branch.messages) == 3


def test_clearing(branch: Branch) -> None:
    """The system message stays."""
    branch.clear_messages()
    assert said(branch) == ["Be brief."]


def test_removing(branch: Branch) -> None:
    """By the message, its id or the text of it; an unknown one is an error."""
    _, question, answer = branch.messages
    assert branch.remove_message(question)
    assert branch.remove_message(str(answer.id))
    with pytest.raises(ItemNotFoundError):
        branch.remove_message(answer)
    assert said(branch) == ["Be brief."]


def test_updating(branch: Branch) -> None:
    """Fields are set, the rest goes to the message's own `update`; the object stays the same."""
    question = branch.messages[1]
    ada = Branch(name="ada")
    assert branch.update_message(question, instruction="What is a cat?", sender=ada, role="user", metadata={"x": 1})
    assert question is branch.messages[1]
    assert isinstance(question, Instruction)
    assert (question.instruction, question.context, question.sender) == ("What is a cat?", ["a Lion"], ada.id)
    assert (question.role, question.metadata) == (MessageRole.USER, {"x": 1})
    assert not branch.update_message(question.id, instruction="What is a cat?")
    assert branch.update_message(question, content={"instruction": "Hm?"}, template="So: {instruction}")
    assert question.text == "So: Hm?"
    assert branch.update_message(question, template=None)


def test_updating_the_role_of_a_request() -> None:
    """What a message refuses by itself is refused here too; what it allows is not."""
    request = ActionRequest.create("weigh", {})
    branch = Branch(messages=[request, ActionResponse.create(request, 1)])
    with pytest.raises(ConfigError, match="has a response"):
        branch.update_message(request, function="count")
    assert branch.update_message(request, recipient="scales")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"id": "x"}, ConfigError),
        ({"created_at": 1, "instruction": "x"}, ConfigError),
        ({"flag": None}, ConfigError),
        ({"role": "nobody"}, ConfigError),
        ({"content": 7}, ConfigError),
        ({"sender": 7}, ConfigError),
        ({"instruction": "x", "role": "nobody"}, ConfigError),
        ({"request_fields": ["a"], "response_format": {"type": "object"}}, ConfigError),
        ({"self": 1}, ConfigError),
        ({"instruction": len}, NotPortable),
    ],
    ids=str,
)
def test_updating_with_what_does_not_fit(branch: Branch, changes: dict[str, Any], error: type[Exception]) -> None:
    """Nothing changes, not even what would have fitted."""
    before = state(branch)
    with pytest.raises(error):
        branch.update_message(branch.messages[1], **changes)
    assert state(branch) == before


def test_replacing_a_keyword(branch: Branch) -> None:
    """Plain text, in any case of letters unless told otherwise; the raw answer goes with the words that it had."""
    assert branch.messages[2].metadata
    assert branch.replace_keyword("Lion", r"\1 tiger", case_sensitive=True) == 1
    assert branch.replace_keyword("LION", "tiger") == 2
    assert branch.replace_keyword("lion", "tiger") == 0
    question = branch.messages[1]
    assert isinstance(question, Instruction)
    assert (question.instruction, question.context) == ("What is a tiger?", [r"a \1 tiger"])
    assert said(branch)[2] == "A tiger is a cat."
    assert not branch.messages[2].metadata
    for keyword, replacement in (("", "x"), (7, "x"), ("x", None)):
        with pytest.raises(ConfigError, match="two texts"):
            branch.replace_keyword(keyword, replacement)  # type: ignore[arg-type]  # what is tested


def test_replacing_spares_references() -> None:
    """A request keeps its response, and a picture its data."""
    request = ActionRequest.create("a", {"a": "a"})
    outcome = ActionResponse.create(request, {"a": ["a", 1, None]})
    picture = Instruction.create("a", images=["aaaa"])
    branch = Branch(messages=[request, outcome, picture])
    assert branch.replace_keyword("a", "b") == 3
    assert (request.function, request.arguments, request.action_response_id) == ("b", {"a": "b"}, outcome.id)
    assert (outcome.action_request_id, outcome.output) == (request.id, {"a": ["b", 1, None]})
    assert (picture.instruction, picture.images) == ("b", ["aaaa"])


def test_a_replacement_that_fails_on_the_way_is_undone(branch: Branch) -> None:
    """When one message cannot be changed, those before it are as they were."""
    before = state(branch)

    def refuse(message: RoledMessage) -> None:
        raise RuntimeError("no")

    branch.messages[2].observe(refuse)
    with pytest.raises(RuntimeError):
        branch.replace_keyword("lion", "tiger")
    assert state(branch) == before


def test_changing_the_system_message(branch: Branch) -> None:
    """It stays the same message; a text, a chat message or a System says what it says. Without one it is an error."""
    system = branch.system
    branch.change_first_system_message("Be kind.", sender="ada")
    assert system is branch.system
    assert system is not None
    assert (system.text, system.sender) == ("Be kind.", "ada")
    for given in ({"role": "system", "content": "Be quick."}, System.create("Be quick.")):
        branch.change_first_system_message(given)
        assert said(branch)[0] == "Be quick."
    with pytest.raises(ConfigError):
        branch.change_first_system_message(None)
    with pytest.raises(ValueError, match="no system message"):
        Branch().change_first_system_message("x")


def test_extending(branch: Branch) -> None:
    """Copies at the end, in order; what is here already stays as it is, and once is enough."""
    one, two = Instruction.create("one"), Instruction.create("two")
    assert branch.extend([one, two, one, branch.messages[1]]) == 2
    assert branch.extend(branch.messages) == 0
    assert said(branch)[3:] == [one.text, two.text]
    branch.update_message(one.id, instruction="changed")
    assert one.instruction == "one"
    assert branch.extend([]) == 0


def test_extending_by_every_form() -> None:
    """A message, a pile, and dicts, which are flagged as loaded."""
    message = Instruction.create("one")
    for given in (message, [message], Branch(messages=message).messages, message.to_dict(), [message.to_dict()]):
        branch = Branch()
        assert branch.extend(given) == 1
        assert branch.messages[0].to_dict() | {"flag": None} == message.to_dict() | {"flag": None}
        loaded = branch.flagged_messages(include_load=True)
        assert len(loaded) == isinstance(given, dict) + (isinstance(given, list) and isinstance(given[0], dict))


@pytest.mark.parametrize(
    "given",
    [7, None, Branch(), ["x"], [{"role": 7}], [Instruction.create("x"), 7], "x"],
    ids=["number", "none", "branch", "texts", "dicts", "mixed", "text"],
)
def test_extending_with_what_is_no_message(branch: Branch, given: Any) -> None:
    """Nothing comes, and the error names the item."""
    with pytest.raises(ConfigError):
        branch.extend(given)
    assert len(branch.messages) == 3


@pytest.mark.anyio
async def test_the_twins(branch: Branch) -> None:
    """Every change has a form with an `a` in front that waits until no other task holds the messages."""
    await branch.aextend(Instruction.create("Hm."))
    await branch.aupdate_message(branch.messages[3], instruction="Hm?")
    assert await branch.areplace_keyword("hm", "Hmm") == 1
    await branch.achange_first_system_message("Be slow.")
    assert await branch.aremove_message(branch.messages[1])
    assert len(await branch.arollback(1)) == 1
    await branch.aclear_messages()
    assert said(branch) == ["Be slow."]


def test_changes_by_name(branch: Branch) -> None:
    """As a command asks for them: only those in the table, with the arguments that they take."""
    assert apply_edit(branch.msgs, "rollback", {"steps": 1})
    with pytest.raises(BranchError, match=f"there are {', '.join(sorted(EDITS))}"):
        apply_edit(branch.msgs, "set_system", {"system": "x"})
    for odd in ({}, {"steps": 1, "more": 1}, {"msgs": 1}):
        with pytest.raises(ConfigError, match="rollback does not work so"):
            apply_edit(branch.msgs, "rollback", odd)
    assert len(branch.messages) == 2


def test_pieces() -> None:
    """Many messages are divided in order; one that is too large alone is named."""
    rows = [{"id": str(number), "content": "x" * 10} for number in range(10)]
    pieces = in_pieces(rows, 100)
    assert [row for piece in pieces for row in piece] == rows
    assert max(map(len, pieces)) > 1
    assert in_pieces([], 100) == []
    with pytest.raises(MailTooLarge, match="The message 3 has"):
        in_pieces([*rows, {"id": "3", "content": "x" * 100}], 100)
