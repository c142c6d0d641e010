"""Workers that end, or sleep past their lease, at each point of the road: one effect, and whose it is.

CHAOS_TIMES is how many workers do so at each point; `scripts/chaos --gate` has thirty.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from lion_broker import Session
from lion_broker.testing import FakeModelServer, wait_until
from tests.ledger import Ledger
from tests.stage import Program, Stage

pytestmark = [pytest.mark.redis, pytest.mark.processes, pytest.mark.chaos, pytest.mark.timeout(600)]

TIMES = int(os.environ.get("CHAOS_TIMES", "2"))
AT_ONCE = 6
SOUND = 3.0
"""The lease of who takes over, in seconds: it is not to end as well where a busy machine lets a worker wait."""
POINTS = {
    "after the claim": "after Claim",
    "before the call": "after Step.intent",
    "after the call": "before Step.result",
    "after the call was recorded": "after Step.result",
    "before the commit": "before Commit",
    "after the commit, its answer unheard": "after Commit",
}
HANDED_OUT = ("after ReadReady", "after Step.intent", "before Commit", "after Commit")
"""Points of a mail that comes with the ready entry, to a worker that waits for it."""
LARGE = "." * 5000
"""Before a text: a mail so large is claimed, and does not come with the ready entry."""
RETRIES = {
    "after the commit that defers": ("after Commit", 1),
    "after the claim of a retry": ("after Claim", 2),
    "before the commit of a retry": ("before Commit", 2),
    "after the commit of a retry": ("after Commit", 2),
}
"""The same of a mail that has failed once and waits in its sender's lane: the point, and the how manieth time."""
ASKED_ONCE = {"after Claim", "after Step.intent", "after Step.result", "before Commit", "after Commit"}
"""Points where a call has not gone out yet, or has been recorded: whoever takes over need not make it twice."""


@pytest.fixture
def model() -> Iterator[FakeModelServer]:
    """The server of the model that the branches ask."""
    with FakeModelServer() as server:
        yield server


@pytest.fixture
def session(stage: Stage) -> Iterator[Session]:
    """A session with automatic delivery."""
    with Session(exchange=stage.exchange, delivery="auto") as session:
        yield session


class Play:
    """Some branches that ask a model, workers that are struck at one point, and those who take over from them."""

    def __init__(self, stage: Stage, session: Session, model: FakeModelServer, desk: Path) -> None:
        self._stage = stage
        self._session = session
        self._environ = {"MODEL_URL": model.url, "DESK": str(desk)}
        self._model = model
        self.branches: list[Any] = []

    def begin(self, count: int, before: str = LARGE) -> None:
        """Mail so many new branches, which nobody serves yet."""
        with self._session.batch():
            for _ in range(count):
                name = f"b{len(self.branches)}"
                branch = self._session.new_branch(name=name, pool="p", behaviour="moody", imodel="far")
                self.branches.append(branch)
                self.mail(branch, 1, before)

    def mail(self, branch: Any, number: int, before: str = LARGE) -> None:
        """Ask a branch something that nobody else is asked."""
        self._session.default_branch.send(branch, "message", f"{before}{branch.name}:{number}")

    def struck(self, count: int, point: str, how: str, on: int = 1) -> list[Program]:
        """Workers that serve a branch each, and are struck while they do."""
        words = ("tests.apps.thinkers:registry", "p", "--concurrency", "1")
        # One that has slept for longer than its patience would blame the server, and never learn that it is replaced.
        patience = {"LION_BROKER_PATIENCE": "60"}
        environ = {"CRASH_AT": point, "CRASH_HOW": how, "CRASH_ON": str(on), **patience, **self._environ}
        return [self._stage.worker(*words, module="tests.apps.crashing", lease=1.0, **environ) for _ in range(count)]

    def sound(self) -> Program:
        """A worker that nothing happens to."""
        worker = self._stage.worker("tests.apps.thinkers:registry", "p", lease=SOUND, **self._environ)
        worker.ready()
        return worker

    def asked(self) -> Counter[str]:
        """How often the model was asked each thing."""
        return Counter(str(request.body["messages"][-1]["content"]) for request in self._model.requests)

    def check(self, mails: int) -> None:
        """Insist that each branch has taken its mails once, in order, and has answered each once."""
        self._session.wait_idle()
        home = self._session.default_branch
        home.receive_all()
        ledger = Ledger.of(self._session.exchange, self._session.id)
        assert ledger.doubles() == ledger.gaps() == []
        for branch in self.branches:
            assert len(branch.messages) == 2 * mails
            assert len(branch.chronicle.mails) == mails
        answers = Counter(str(message.sender) for message in home.messages)
        assert answers == Counter({str(branch.id): mails for branch in self.branches})
        assert self._session.dead_letters == []


def is_stopped(program: Program) -> bool:
    """Whether a process has stopped itself; AssertionError when it has ended instead."""
    assert program.alive, program.errors
    return os.waitid(os.P_PID, program.pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT) is not None


@pytest.mark.parametrize("point", POINTS.values(), ids=POINTS.keys())
def test_killed(stage: Stage, session: Session, model: FakeModelServer, point: str, tmp_path: Path) -> None:
    """Others take over from the last commit; an answer that was recorded is not asked for again."""
    model.says("Said.")
    play = Play(stage, session, model, tmp_path)
    while (left := TIMES - len(play.branches)) > 0:
        count = min(left, AT_ONCE)
        play.begin(count)
        for worker in play.struck(count, point, "exit"):
            assert worker.wait() == 9, worker.errors
        worker = play.sound()
        session.wait_idle()
        assert worker.stop() == 0
    play.check(1)
    asked = play.asked()
    assert len(asked) == TIMES
    assert set(asked.values()) == {1} if point in ASKED_ONCE else min(asked.values()) >= 2


@pytest.mark.parametrize("point", POINTS.values(), ids=POINTS.keys())
def test_asleep(stage: Stage, session: Session, model: FakeModelServer, point: str, tmp_path: Path) -> None:
    """Who wakes up after others have taken over has no effect any more, and serves on."""
    model.says("Said.")
    play = Play(stage, session, model, tmp_path)
    while (left := TIMES - len(play.branches)) > 0:
        count = min(left, AT_ONCE)
        play.begin(count)
        sleepers = play.struck(count, point, "stop")
        for worker in sleepers:
            wait_until(lambda: is_stopped(worker), 60)  # noqa: B023 - asked at once
        worker = play.sound()
        session.wait_idle()
        assert worker.stop() == 0
        for sleeper in sleepers:
            sleeper.thaw()
        for branch in play.branches[-count:]:
            play.mail(branch, 2)
        session.wait_idle()
        for sleeper in sleepers:
            assert sleeper.stop() == 0, sleeper.errors
            assert point == "after Commit" or re.search("hosted elsewhere|LeaseLost", sleeper.errors)
    play.check(2)


@pytest.mark.parametrize("how", ["exit", "stop"])
@pytest.mark.parametrize("point", HANDED_OUT)
def test_with_a_mail_that_came_with_its_mark(
    stage: Stage, session: Session, model: FakeModelServer, point: str, how: str, tmp_path: Path
) -> None:
    """Whoever was given it has tried it; others take over, and a reader that wakes too late has no effect."""
    model.says("Said.")
    play = Play(stage, session, model, tmp_path)
    for _ in range(max(1, TIMES // 5)):
        (worker,) = play.struck(1, point, how)
        worker.ready()
        play.begin(1, before="")
        if how == "exit":
            assert worker.wait() == 9, worker.errors
        else:
            wait_until(lambda: is_stopped(worker), 30)  # noqa: B023 - asked at once
        sound = play.sound()
        session.wait_idle()
        assert sound.stop() == 0
        if how == "stop":
            worker.thaw()
        play.mail(play.branches[-1], 2, before="")
        sound = play.sound() if how == "exit" else worker
        session.wait_idle()
        assert sound.stop() == 0, sound.errors
    play.check(2)
    tried_twice = 0 if point == "after Commit" else len(play.branches)
    assert session.counters()["redelivered"] == tried_twice


@pytest.mark.parametrize("how", ["exit", "stop"])
@pytest.mark.parametrize("point", RETRIES.values(), ids=RETRIES.keys())
def test_at_a_retry(
    stage: Stage, session: Session, model: FakeModelServer, point: tuple[str, int], how: str, tmp_path: Path
) -> None:
    """A mail that has failed once is tried again by whoever takes over, and mail behind it stays behind it."""
    asked: Counter[str] = Counter()

    def answer(body: Mapping[str, Any]) -> str:
        question = str(body["messages"][-1]["content"])
        asked[question] += 1
        return "bad" if asked[question] == 1 and question.endswith(":1") else "good"

    model.answers(answer)
    play = Play(stage, session, model, tmp_path)
    # One branch at a time: the second claim is then the one of the retry.
    for _ in range(max(1, TIMES // 5)):
        play.begin(1)
        (worker,) = play.struck(1, point[0], how, point[1])
        if how == "exit":
            assert worker.wait() == 9, worker.errors
        else:
            wait_until(lambda: is_stopped(worker), 60)  # noqa: B023 - asked at once
        play.mail(play.branches[-1], 2)
        sound = play.sound()
        session.wait_idle()
        if how == "stop":
            worker.thaw()
            assert worker.stop() == 0, worker.errors
        assert sound.stop() == 0
    play.check(2)
    assert all(times >= 2 for question, times in asked.items() if question.endswith(":1"))
    for branch in play.branches:
        said = [message.text for message in branch.messages]
        assert [text.rpartition(":")[2] for text in said[::2]] == ["1", "2"]
