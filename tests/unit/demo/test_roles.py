"""The whole desk on an exchange in this process: what the branches say to each other, and that it comes to an end."""

from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import Any

import anyio
import pytest

from lion_broker import Session, Worker
from lion_broker.demo import corpus_tools
from lion_broker.demo.audit import Audit, audit
from lion_broker.demo.desk import READERS, place
from lion_broker.demo.findings import Quote
from lion_broker.demo.notes import Kind, order, values_of
from lion_broker.demo.quotes import verify
from lion_broker.demo.research import registry
from lion_broker.demo.roles import CRITIC, MODEL, PLANNER, WRITER, reader_name
from lion_broker.errors import ModelUnavailable
from lion_broker.mail.memory import MemoryExchange
from lion_broker.testing import ScriptedModel

pytestmark = pytest.mark.anyio

RunningWorker = Callable[..., AbstractAsyncContextManager[Worker]]

QUESTION = "What happens when a with statement raises an exception?"

ANIMALS = {
    "lions.md": "# Lions\n\nA lion is a large cat that lives in groups called prides. Lions hunt at night because the"
    " dark hides them.\n",
    "owls.md": "# Owls\n\nAn owl is a bird that sees well in the dark. Owls eat mice.\n",
    "bees.md": "# Bees\n\nA bee is an insect that makes honey. Bees dance to tell the others where flowers are.\n",
    "trees.md": "# Trees\n\nA tree is a plant with a trunk. Trees grow slowly and live long.\n",
}


@pytest.fixture
def animals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The corpus of this process is a folder about animals."""
    for name, text in ANIMALS.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setenv(corpus_tools.CORPUS, str(tmp_path))
    corpus_tools.corpus_search.cache_clear()
    yield
    corpus_tools.corpus_search.cache_clear()


@pytest.fixture
def session() -> Iterator[Session]:
    """A session with a desk."""
    with Session(exchange=MemoryExchange(), delivery="auto") as session:
        place(session, "desk", pace=0.0)
        yield session


async def report_on(question: str, session: Session, running_worker: RunningWorker, workers: int = 1) -> dict[str, Any]:
    """Ask the desk, with so many workers, and return the values of its report."""
    coordinator = session.default_branch
    async with AsyncExitStack() as stack:
        for _ in range(workers):
            running = running_worker(registry, session.exchange, pool="desk", concurrency=workers)
            await stack.enter_async_context(running)
        await coordinator.asend(PLANNER, "message", order(question, Kind.QUESTION))
        with anyio.fail_after(60):
            while not len(coordinator.messages):
                await session.await_idle()
                await coordinator.areceive_all()
    assert session.dead_letters == []
    return values_of(coordinator.messages[0])


def kinds(session: Session, branch: str) -> list[str]:
    """What the messages of a branch are about, in order."""
    return [values["kind"] for message in session.branches[branch].messages if (values := values_of(message))]


async def test_a_language_model_leads_the_report(
    session: Session, running_worker: RunningWorker, animals: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It writes the beginning, from the numbered quotes; the report says so, and counts its tokens."""
    model = ScriptedModel("Lions **hunt** at night [1], or so they say [77].")
    model.imodel.metadata["ref"] = MODEL
    monkeypatch.setitem(registry.models, MODEL, model.imodel)
    report = await report_on("When do lions hunt?", session, running_worker)
    (asked,) = model.requests
    assert "[1] " in asked.text
    assert "from the numbered quotes only" in asked.text
    assert "**In short**, in the words of scripted/model: Lions hunt at night [1], or so" in report["markdown"]
    assert "> scripted/model: a language model wrote" in report["markdown"]
    assert report["tokens"]["count"] > 0
    assert report["tokens"]["estimated"] is False
    assert all(verify(Quote.from_dict(quote), corpus_tools.corpus_search().corpus) for quote in report["quotes"])


async def test_a_model_that_fails_spoils_nothing(
    session: Session, running_worker: RunningWorker, animals: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The report stands on its quotes, and says that there was no answer."""
    model = ScriptedModel(ModelUnavailable("it is out of order"))
    model.imodel.metadata["ref"] = MODEL
    monkeypatch.setitem(registry.models, MODEL, model.imodel)
    report = await report_on("When do lions hunt?", session, running_worker)
    assert "in the words of scripted/model: it gave no answer (ModelUnavailable)." in report["markdown"]
    assert report["quotes"]


async def test_everybody_does_their_part(session: Session, running_worker: RunningWorker) -> None:
    """All three kinds of mail are used, and the conversations tell the story."""
    report = await report_on(QUESTION, session, running_worker)
    assert report["markdown"].startswith(f"# {QUESTION}")
    assert kinds(session, PLANNER) == [Kind.QUESTION]
    first_reader = session.branches[reader_name(1)]
    assert kinds(session, reader_name(1))[:2] == [Kind.SUB_QUESTION, Kind.PICKS]
    assert set(first_reader.tools) == {"search", "open_passage"}
    assert set(kinds(session, CRITIC)) == {Kind.FINDING}
    assert {Kind.PLAN, Kind.ACCEPTED} <= set(kinds(session, WRITER))
    answer = session.branches[WRITER].messages[-1]
    assert "(offline/extractive: no language model was used)" in answer.text
    assert "**In short**, in sentences that offline/extractive chose from the quotes: " in report["markdown"]


async def test_the_critic_sends_real_quotes_back(session: Session, running_worker: RunningWorker) -> None:
    """On real input two sub-questions lead to the same quote; the later reader is asked for another one."""
    await report_on(QUESTION, session, running_worker)
    told = [kind for number in range(1, READERS + 1) for kind in kinds(session, reader_name(number))]
    assert Kind.REJECTED in told
    assert kinds(session, CRITIC).count(Kind.FINDING) == told.count(Kind.SUB_QUESTION) + told.count(Kind.REJECTED)


async def test_the_number_of_workers_changes_nothing(running_worker: RunningWorker) -> None:
    """One worker that does one thing at a time, or four that do all at once: the same report, the same mail."""
    found: list[tuple[dict[str, Any], Audit]] = []
    for workers in (1, 4):
        with Session(exchange=MemoryExchange(), delivery="auto") as session:
            place(session, "desk", pace=0.0)
            report = await report_on(QUESTION, session, running_worker, workers)
            found.append((report, audit(session.exchange, session.id)))
    assert found[0] == found[1]
    assert found[0][1].lost == found[0][1].duplicates == 0


@pytest.mark.parametrize("question", ["???", "How do I bake a cake?", "asdf qwer"])
async def test_a_question_without_an_answer(question: str, session: Session, running_worker: RunningWorker) -> None:
    """The report says that there is none, and quotes nothing."""
    report = await report_on(question, session, running_worker)
    assert "No answer" in report["markdown"]
    assert report["quotes"] == []


@pytest.mark.usefixtures("animals")
async def test_another_corpus(session: Session, running_worker: RunningWorker) -> None:
    """A directory of texts is searched and quoted like the built-in corpus."""
    report = await report_on("How do lions hunt?", session, running_worker)
    assert report["quotes"]
    assert {quote["source"] for quote in report["quotes"]} == {"lions.md"}
    assert all(quote["text"] in ANIMALS["lions.md"] for quote in report["quotes"])


@pytest.mark.usefixtures("animals")
async def test_a_corpus_that_is_gone_is_a_dead_letter(
    session: Session, running_worker: RunningWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that cannot read the corpus says so in a dead letter instead of trying for ever."""
    monkeypatch.setenv(corpus_tools.CORPUS, "/nowhere")
    async with running_worker(registry, session.exchange, pool="desk"):
        await session.default_branch.asend(PLANNER, "message", order(QUESTION, Kind.QUESTION))
        await session.await_idle()
    (letter,) = session.dead_letters
    assert "/nowhere" in letter.detail
