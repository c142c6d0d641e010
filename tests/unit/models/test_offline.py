"""The offline model quotes, and says that no language model was used."""

from threading import get_ident
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lion_broker.errors import ModelError
from lion_broker.messages import Instruction
from lion_broker.models import ModelReply, iModel
from lion_broker.models.providers import offline
from lion_broker.models.providers.offline import LABEL, select

PASSAGES = [
    "The `with` statement wraps the execution of a block. It is written with a context manager.",
    "Lists are mutable. Bananas are yellow.",
    "A context manager has the methods `__enter__()` and `__exit__()`.",
]


async def ask(*messages: Any) -> ModelReply:
    """Ask the offline model."""
    return await iModel(model="offline/extractive").invoke(messages)


def user(text: Any) -> dict[str, Any]:
    """A message of the user."""
    return {"role": "user", "content": text}


@pytest.mark.anyio
async def test_every_reply_says_that_no_model_was_used() -> None:
    """The label is in the reply and in its text."""
    reply = await ask(user("Anything?"))
    assert reply.label == "offline/extractive: no language model was used" == LABEL
    assert LABEL in reply.text
    assert reply.model == "offline/extractive"


@pytest.mark.anyio
async def test_an_instruction_with_context_is_answered_from_the_context() -> None:
    """The conversation's own form of question and passages is understood."""
    question = Instruction.create(instruction="What is a context manager?", context=PASSAGES)
    reply = await ask(question.chat_msg)
    assert reply.raw["quoted"][-1] == PASSAGES[2]
    assert not any("Bananas" in sentence for sentence in reply.raw["quoted"])


@pytest.mark.anyio
async def test_without_context_the_conversation_is_quoted() -> None:
    """A bare question is answered from what was said before, except the system message."""
    system = {"role": "system", "content": "Tuples are dangerous."}
    said = {"role": "assistant", "content": "Tuples are immutable. Lists are not."}
    reply = await ask(system, said, user("What about tuples?"))
    assert reply.raw["quoted"] == ["Tuples are immutable."]


@pytest.mark.anyio
async def test_paragraphs_after_the_question_are_passages() -> None:
    """A plain message may bring its own passages; parts that are no text are passed over."""
    parts = [{"type": "text", "text": "Are lists mutable?\n\nLists are mutable.\n\nSo it is."}, {"type": "image_url"}]
    reply = await ask(user(parts))
    assert reply.raw["quoted"] == ["Lists are mutable."]


@pytest.mark.anyio
async def test_it_streams_the_same_answer() -> None:
    """Word by word, and the whole reply at the end."""
    question = Instruction.create(instruction="What is a context manager?", context=PASSAGES).chat_msg
    *chunks, last = [chunk async for chunk in iModel(model="offline/extractive").stream([question])]
    assert last.reply == await ask(question)
    assert "".join(chunk.text for chunk in chunks) == last.reply.text
    assert len(chunks) > 5


@pytest.mark.anyio
@pytest.mark.parametrize(("length", "aside"), [(100, False), (100_000, True)])
async def test_a_long_conversation_holds_nobody_up(monkeypatch: pytest.MonkeyPatch, length: int, aside: bool) -> None:
    """It is read in another thread, so that the event loop goes on; a short one is not worth that."""
    threads: list[int] = []

    def chosen(question: str, passages: list[str]) -> list[str]:
        threads.append(get_ident())
        return select(question, passages)

    monkeypatch.setattr(offline, "select", chosen)
    reply = await ask(user("What about tuples?\n\nTuples are immutable.\n\n" + "x" * length))
    assert reply.raw["quoted"] == ["Tuples are immutable."]
    assert [thread != get_ident() for thread in threads] == [aside]


@pytest.mark.anyio
async def test_nothing_relevant_is_said_plainly() -> None:
    """Passages that do not speak of the question are not quoted."""
    reply = await ask(user("Price of gold?\n\nLists are mutable."))
    assert reply.raw["quoted"] == []
    assert reply.text.startswith("The given passages do not answer this.")


@pytest.mark.anyio
async def test_a_conversation_without_a_question_is_an_error() -> None:
    """There must be a user message."""
    with pytest.raises(ModelError, match="no user message"):
        await ask({"role": "system", "content": "Be brief."})


def test_the_best_sentences_come_in_the_order_of_the_passages() -> None:
    """Relevance decides which, the passages decide in which order."""
    chosen = select("How does the `with` statement use a context manager?", PASSAGES)
    assert chosen[0].startswith("The `with` statement")
    assert chosen[-1] == PASSAGES[2]


@given(st.text(max_size=80), st.lists(st.text(max_size=200), max_size=5))
def test_every_answer_is_verbatim(question: str, passages: list[str]) -> None:
    """Whatever is asked of whatever passages, each quoted sentence stands in one of them, and always the same ones."""
    chosen = select(question, passages)
    assert all(any(sentence in passage for passage in passages) for sentence in chosen)
    assert chosen == select(question, passages)
