"""What happened to a mail, read afterwards: where it is, each attempt at it, and what it led to."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lion_broker import Session
from lion_broker.errors import ItemNotFoundError
from lion_broker.insight.flow import flow_steps
from lion_broker.insight.lanes import lanes_steps
from lion_broker.insight.reasons import poisoned
from lion_broker.insight.trace import trace_steps
from lion_broker.insight.views import Passage, Span, Trace
from lion_broker.mail.exchange import run
from lion_broker.testing import wait_until
from tests.stage import Stage

pytestmark = [pytest.mark.redis, pytest.mark.processes]

LEASE = 5.0
"""One that ends when its worker has died, and not when a busy machine lets a worker wait for some seconds."""


@pytest.fixture
def session(stage: Stage) -> Iterator[Session]:
    """A session with automatic delivery."""
    with Session(exchange=stage.exchange, delivery="auto") as session:
        yield session


def passages(session: Session, **options: Any) -> list[Passage]:
    """The mail of a session, oldest first."""
    return list(run(session.exchange, lanes_steps(session.id, **options)).passages)


def trace(session: Session, mail: str) -> Trace:
    """What happened to a mail."""
    return run(session.exchange, trace_steps(session.id, mail))


def spans(found: Trace) -> list[tuple[str, str, str]]:
    """Kind, name and error of each bar."""
    return [(span.kind, span.name, span.error) for span in found.spans]


def in_order(bars: tuple[Span, ...]) -> bool:
    """Whether bars that follow one another begin in this order."""
    return all(one.began <= other.began + 0.05 for one, other in itertools.pairwise(bars))


def test_a_mail_and_its_answer(session: Session, stage: Stage) -> None:
    """Both are applied; the answer is what the mail led to, and the bars follow one another."""
    remote = session.new_branch(name="remote", pool="p", behaviour="echo")
    home = session.default_branch
    worker = stage.worker(pool="p", lease=LEASE)
    owner = worker.ready()
    home.send(remote, "message", "Hello?")
    session.wait_idle()
    home.receive_all()
    asked, answer = passages(session)
    assert (asked.sender, asked.recipient, asked.text) == (home.id, remote.id, "Hello?")
    assert (asked.state, answer.state, answer.in_reply_to) == ("applied", "applied", asked.mail)
    assert (asked.owner, asked.attempts) == (owner, 1)
    assert asked.delivered is not None
    assert asked.begun is not None
    assert asked.applied is not None
    assert asked.delivered <= asked.begun + 0.05 <= asked.applied + 0.1
    # In the inbox of a local branch, until it is received.
    assert answer.delivered is not None
    assert answer.applied is not None
    assert asked.applied <= answer.delivered <= answer.applied
    assert [span.kind for span in trace(session, answer.mail).spans if span.name != "on its way"] == ["queued"]
    found = trace(session, asked.mail[:20])
    kinds = [span.kind for span in found.spans if span.name != "on its way"]
    assert kinds == ["queued", "leased", "work", "delivered"]
    assert in_order(found.spans)
    assert [one.passage.mail for one in found.caused] == [answer.mail]
    edges = [(edge.sender, edge.recipient, edge.category, edge.mails) for edge in _flow(session).edges]
    assert sorted(edges) == sorted([(home.id, remote.id, "message", 1), (remote.id, home.id, "message", 1)])


def _flow(session: Session) -> Any:
    return run(session.exchange, flow_steps(session.id))


def test_a_worker_that_is_killed_in_the_middle(session: Session, stage: Stage, tmp_path: Path) -> None:
    """The attempt that left no record is there all the same, with the worker that had it."""
    remote = session.new_branch(name="remote", pool="p", behaviour="wait")
    first = stage.worker(pool="p", lease=LEASE, DESK=str(tmp_path))
    lost = first.ready()
    session.default_branch.send(remote, "message", "one")
    wait_until((tmp_path / "one.begun").exists)
    first.kill()
    (mail,) = passages(session)
    assert (mail.state, mail.owner) == ("working", lost)
    (tmp_path / "go").touch()
    second = stage.worker(pool="p", lease=LEASE, DESK=str(tmp_path))
    taken_over = second.ready()
    session.wait_idle()
    mail, _ = passages(session)
    assert (mail.state, mail.attempts, mail.owner) == ("applied", 2, taken_over)
    found = trace(session, mail.mail)
    works = [span for span in found.spans if span.kind == "work"]
    assert [(span.name, span.error) for span in works] == [("attempt 1", "WorkerLost"), ("attempt 2", "")]
    assert works[0].fields["owners"] == [lost]
    assert in_order(found.spans)


def test_a_mail_that_fails(session: Session, stage: Stage) -> None:
    """Each attempt has the class of its error; a dead letter has a reason, and what goes on is retrying."""
    remote = session.new_branch(name="remote", pool="p", behaviour="moody")
    stage.worker(pool="p").ready()
    session.default_branch.send(remote, "message", "fail it")
    wait_until(lambda: session.dead_letters)
    (mail,) = passages(session)
    assert (mail.state, mail.letter) == ("dead", session.dead_letters[0].id)
    assert mail.reason.startswith("failed: RuntimeError")
    works = [span for span in trace(session, mail.mail).spans if span.kind == "work"]
    assert [span.error for span in works] == ["RuntimeError"] * mail.attempts
    assert mail.attempts > 1
    assert works[-1].fields["end"] == "dead"


def test_a_mail_that_kills_its_workers(session: Session, stage: Stage) -> None:
    """No attempt has left a record, and each of them is told, with who made it."""
    remote = session.new_branch(name="remote", pool="p", behaviour="moody")
    session.default_branch.send(remote, "message", "die here")
    lost = []
    for _ in range(3):
        worker = stage.worker(pool="p")
        lost.append(worker.ready())
        worker.wait()
    stage.worker(pool="p").ready()
    wait_until(lambda: session.dead_letters)
    (mail,) = passages(session)
    assert (mail.state, mail.attempts, mail.reason.partition(":")[0]) == ("dead", 3, "poison")
    (work,) = [span for span in trace(session, mail.mail).spans if span.kind == "work"]
    assert (work.name, work.error) == ("attempts 1 to 3", "WorkerLost")
    assert work.fields["owners"] == lost
    why = poisoned(trace(session, mail.mail))
    assert why is not None
    assert (
        f"3 workers had it, one after another, and each ended or was cut off without finishing it: {', '.join(lost)}."
        in (why.text)
    )


def test_mail_that_waits(session: Session, stage: Stage) -> None:
    """In a mailbox that nobody serves, delayed, or for nobody any more; an unknown mail is an error."""
    remote = session.new_branch(name="remote", pool="nobody", behaviour="echo")
    home = session.default_branch
    home.send(remote, "message", "first")
    home.send(remote, "message", "later", delay=600)
    waiting, delayed = passages(session)
    assert (waiting.state, waiting.where) == ("waiting", "mailbox")
    assert (delayed.state, delayed.where) == ("delayed", "delayed")
    assert delayed.due is not None
    assert trace(session, waiting.mail).passage.state == "waiting"
    session.remove_branch(remote, delete=True)
    assert [one.state for one in passages(session)] == ["dead", "dead"]
    session.drop_dead_letters()
    assert [one.state for one in passages(session)] == ["gone", "gone"]
    with pytest.raises(ItemNotFoundError, match="no mail"):
        trace(session, "ffff")
    with pytest.raises(ItemNotFoundError, match="begin with"):
        trace(session, waiting.mail[:4])
