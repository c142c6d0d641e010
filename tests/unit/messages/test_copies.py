"""The clones that a split branch begins with: what was said when it was split, made when somebody looks."""

import gc
import threading
from typing import Any

import pytest
from pydantic import BaseModel

from lion_broker import ActionRequest, AssistantResponse, ConfigError, Instruction, RoledMessage, System
from lion_broker.core.ids import IDType
from lion_broker.core.pile import PileChange
from lion_broker.messages import MessageManager
from lion_broker.messages.copies import Copies, copied_id

SENDER, BRANCH = IDType.create(), IDType.create()


class Report(BaseModel):
    """What an instruction may ask for."""

    text: str


class Remark(RoledMessage):
    """A kind of message with a field of its own."""

    mood: str = "calm"


def kinds() -> list[RoledMessage]:
    """A message of each sort that is copied in its own way."""
    nested = Instruction.create("do", context=[{"a": [1]}], sender="ann", recipient="bob")
    nested.metadata["extra"] = {"tags": ["x"]}
    answer = AssistantResponse.create({"choices": [{"message": {"content": "done"}}]})
    answer.embedding = [1.0, 2.0]
    template = Instruction.create("x", template="{instruction}!")
    request = ActionRequest.create("look", {"where": "here"})
    formed = Instruction.create("report", response_format=Report)
    return [System.create("Be kind."), nested, nested.clone(), answer, template, request, formed, Remark(mood="glad")]


def copies(messages: list[RoledMessage]) -> Copies:
    """What is taken down of messages."""
    return Copies(messages, SENDER, BRANCH)


def slow(message: RoledMessage) -> RoledMessage:
    """The same clone in the usual way."""
    id_ = copied_id(BRANCH, message.id)
    return message.clone(sender=SENDER, recipient=BRANCH, id=id_, created_at=message.created_at)


@pytest.mark.parametrize("place", range(len(kinds())))
def test_they_are_the_clones_of_the_messages(place: int) -> None:
    """Kind, every field and what else a message holds are as `clone` makes them, whatever happens to the original."""
    original = kinds()[place]
    expected = slow(original)
    taken = copies([original])
    original.content = {"changed": True}
    original.metadata["later"] = True
    original.template = "changed"
    (made,) = taken.make()
    assert type(made) is type(expected)
    assert made.to_dict() == expected.to_dict()
    assert getattr(made, "response_format", None) is getattr(expected, "response_format", None)
    assert made.is_clone()


def test_nothing_that_may_change_is_shared() -> None:
    """Changes inside of contents, metadata and embeddings are seen on one side only."""
    originals = kinds()
    made = copies(originals).make()
    before = [message.to_dict() for message in originals]
    for message in made:
        message.content.update(new=1)
        message.metadata.setdefault("extra", {}).setdefault("tags", []).append("y")
        if message.embedding is not None:
            message.embedding.append(3.0)
    made[1].content["context"][0]["a"].append(2)
    assert [message.to_dict() for message in originals] == before


def begun(messages: list[RoledMessage]) -> MessageManager:
    """A conversation that begins with copies at which nobody has looked."""
    msgs = MessageManager()
    msgs.begin_with(copies(messages))
    return msgs


def test_they_are_made_when_somebody_looks() -> None:
    """Before that they can be counted; afterwards each look finds the same ones, in order."""
    originals: list[RoledMessage] = [Instruction.create(str(number)) for number in range(50)]
    branch, msgs = IDType.create(), MessageManager()
    msgs.begin_with(Copies(originals, SENDER, branch))

    def made() -> int:
        return sum(type(one) is Instruction and one.recipient == branch for one in gc.get_objects())

    assert (len(msgs), bool(msgs), made()) == (50, True, 0)
    assert [message.text for message in msgs.messages] == [message.text for message in originals]
    assert made() == 50
    assert msgs.messages[7] is msgs.messages[7]


def test_their_making_is_no_change() -> None:
    """Whoever observes the conversation is not told of its beginning, but of every change to it."""
    told: list[PileChange[Any]] = []
    msgs = begun(kinds())
    msgs.observe(told.append)
    made = msgs.messages
    assert (len(made), made.edits, told) == (len(kinds()), 0, [])
    made[1].update(context=["more"])
    made.include(Instruction.create("new"))
    assert [change.ids for change in told] == [(made[1].id,), (made[-1].id,)]


def test_what_comes_first_is_behind_them() -> None:
    """A message that joins before anybody has looked stands at the end."""
    msgs = begun(kinds())
    msgs.add_message(instruction="new")
    assert msgs.messages[-1].text == "new"
    assert len(msgs) == len(kinds()) + 1
    assert msgs.system is not None
    assert msgs.system.text == "Be kind."


def test_threads_that_look_first_find_the_same() -> None:
    """However many look at once, one set of clones is made."""
    msgs = begun([Instruction.create(str(number)) for number in range(2000)])
    together, found = threading.Barrier(8), []

    def look() -> None:
        together.wait()
        found.append([id(message) for message in msgs.messages])

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert all(one == found[0] for one in found)


def test_only_a_new_conversation_begins_so() -> None:
    """One that has messages, or copies that are to come, keeps what it has."""
    for msgs in (MessageManager([Instruction.create("here")]), begun(kinds())):
        length = len(msgs)
        with pytest.raises(ConfigError, match="begun already"):
            msgs.begin_with(copies(kinds()))
        assert len(msgs.messages) == length


def test_a_copy_of_nothing_is_empty() -> None:
    """An empty conversation is copied too."""
    msgs = begun([])
    assert not msgs
    assert len(msgs.messages) == 0
