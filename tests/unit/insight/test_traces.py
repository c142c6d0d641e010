"""What the logs tell of a mail: its attempts with their calls, what it led to, and where it is; the worker is real."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from lion_broker import Branch, Mail, Registry, RemoteBranch, Session, Worker
from lion_broker.branch.journal import Kind
from lion_broker.errors import ConfigError, ItemNotFoundError, UnknownOutcome
from lion_broker.insight.history import History
from lion_broker.insight.lanes import lanes_steps
from lion_broker.insight.passages import Passages
from lion_broker.insight.trace import trace_steps
from lion_broker.insight.views import Span
from lion_broker.mail.exchange import run
from lion_broker.mail.memory import MemoryExchange
from lion_broker.mail.records import Record
from lion_broker.mail.verbs import Claim, Commit, Promote, ReadLog
from lion_broker.telemetry.acts import ActKind, act
from lion_broker.testing import ScriptedModel, tool_calls, wait_until
from lion_broker.testing.scripted import Asked

registry = Registry()


def weighed(asked: Asked) -> object:
    """Call the tool, and then say what it said."""
    return "It weighs four." if asked.messages[-1]["role"] == "tool" else tool_calls("weigh", {"what": "lion"})


registry.model("scale", ScriptedModel(weighed, repeat=True).imodel)


@registry.tool
def weigh(what: str) -> int:
    """Weigh something.

    Args:
        what: What to weigh.
    """
    return len(what)


@registry.behaviour("thinks")
async def thinks(branch: Branch, mail: Mail) -> None:
    """Ask a model, which calls a tool, and answer."""
    with act(ActKind.WAIT, "limits") as waited:
        pass
    waited.seconds = 0.5
    await branch.operate("How heavy?", actions=True)
    branch.send(mail.sender, "message", "It weighs four.")


@registry.behaviour("fails", attempts=3, backoff=0.0)
async def fails(branch: Branch, mail: Mail) -> None:
    """Fail whatever it is."""
    raise LookupError("nothing here")


@registry.behaviour("once", attempts=3, backoff=0.0)
async def once(branch: Branch, mail: Mail) -> None:
    """Not know how it ended."""
    raise UnknownOutcome("who knows")


@pytest.fixture
def session() -> Iterator[Session]:
    """A session in memory with automatic delivery."""
    with Session(exchange=MemoryExchange(), delivery="auto") as session:
        yield session


def thinker(session: Session) -> RemoteBranch:
    """A branch that asks a model, which calls a tool."""
    branch: RemoteBranch = session.new_branch(
        name="remote", pool="p", behaviour="thinks", imodel="scale", tools=["weigh"]
    )
    return branch


def serve(session: Session) -> None:
    """Let a worker do everything that can be done."""

    async def work() -> None:
        async with Worker(registry, exchange=session.exchange, pool="p") as worker:
            await worker.run(until_idle=True)

    asyncio.run(work())


def bars(session: Session, mail: str, *kinds: str) -> list[Span]:
    """The bars of a mail, of some kinds."""
    return [span for span in session.trace(mail).spans if span.kind in kinds]


def test_calls_are_in_the_trace(session: Session) -> None:
    """Models, tools and waits for a limit, with their names, seconds and tokens, inside the attempt."""
    remote = thinker(session)
    session.default_branch.send(remote, "message", "How heavy is a lion?")
    serve(session)
    session.default_branch.receive_all()
    asked, answer = session.mails_df().mail
    (work,) = bars(session, asked, "work")
    calls = [span for span in bars(session, asked, "model", "tool", "wait") if span.name != "on its way"]
    assert [span.name for span in calls if span.kind == "tool"] == ["weigh"]
    assert len([span for span in calls if span.kind == "model"]) == 2
    assert [(span.name, span.seconds) for span in calls if span.kind == "wait"] == [("limits", 0.5)]
    for span in calls:
        assert work.began - 0.01 <= span.began <= work.began + work.seconds + 0.01
    (caused,) = session.trace(asked).caused
    assert (caused.passage.mail, caused.passage.text) == (answer, "It weighs four.")


def test_nothing_that_was_said_is_in_the_record_of_times(session: Session) -> None:
    """Names and figures only."""
    remote = thinker(session)
    session.default_branch.send(remote, "message", "a secret of mine")
    serve(session)
    log = session.exchange.call(ReadLog(session.id, remote.id))
    times = [row.record.body for row in log if row.record.kind == Kind.TIMES]
    assert len(times) == 1
    for said in (b"secret", b"heavy", b"weighs", b'lion"'):
        assert said not in times[0]


@pytest.mark.parametrize(("behaviour", "errors"), [("fails", ["LookupError"] * 3), ("once", ["UnknownOutcome"])])
def test_every_attempt_has_its_error(session: Session, behaviour: str, errors: list[str]) -> None:
    """With what came of it: to be tried again, or dead; between attempts it waits."""
    remote = session.new_branch(pool="p", behaviour=behaviour)
    session.default_branch.send(remote, "message", "try")
    serve(session)
    (mail,) = session.mails_df().mail
    works = bars(session, mail, "work")
    assert [span.error for span in works] == errors
    assert [span.fields["end"] for span in works] == ["retry"] * (len(errors) - 1) + ["dead"]
    assert [span.name for span in works] == [f"attempt {number}" for number in range(1, len(errors) + 1)]
    waits = [span.name for span in bars(session, mail, "wait") if span.name.startswith("for")]
    assert waits == [f"for attempt {number}" for number in range(2, len(errors) + 1)]
    # Sent again by hand, it is tried afresh; what passed meanwhile is told for what it was.
    cause = works[-1].began + works[-1].seconds
    (buried,) = [one for one in session.events(timeout=0) if one.kind == "dead"]
    wait_until(lambda: session.exchange.call(Promote()).now > int(buried.id.partition("-")[0]) + 10)
    session.retry_dead_letters()
    serve(session)
    again = session.trace(mail).spans
    assert [span.error for span in again if span.kind == "work"] == errors * 2
    assert all(span.began + span.seconds < cause for span in again if span.name == "on its way")
    (dead,) = [span for span in again if span.name == "as a dead letter"]
    assert dead.seconds >= 0.005
    queued = [span.began for span in again if span.kind == "queued"]
    assert len(queued) == 2
    assert queued[0] <= works[0].began < dead.began < queued[1]


def test_mail_that_is_only_written_down_tells_when_it_came(session: Session) -> None:
    """A single one by the cursor, many by a record; there is no work to see."""
    remote = session.new_branch(pool="p")
    home = session.default_branch
    home.send(remote, "message", "one")
    serve(session)
    with session.batch():
        for number in range(5):
            home.send(remote, "message", f"{number}")
    serve(session)
    frame = session.mails_df()
    assert frame.delivered.notna().all()
    assert (frame.delivered <= frame.applied).all()
    assert [span.kind for span in session.trace(frame.mail[3]).spans if span.name != "on its way"] == ["queued"]
    assert remote.messages[-1].text == "4"


def test_a_trace_is_bounded(session: Session) -> None:
    """As deep and as wide as wanted; what is left out is counted. Two that name each other are shown once."""
    ada = session.new_branch(name="ada")
    host = ada._host
    home = session.default_branch
    home.send(ada, "message", "root")
    ada.receive_all()
    (root,) = session.mails_df().mail
    host.because_of(root)
    with session.batch():
        for number in range(10):
            ada.send(home, "message", f"leaf {number}")
    home.receive_all()
    whole = run(session.exchange, trace_steps(session.id, root))
    assert (len(whole.caused), whole.left_out) == (10, 0)
    cut = run(session.exchange, trace_steps(session.id, root, most=4))
    assert (len(cut.caused), cut.left_out) == (4, 6)
    flat = run(session.exchange, trace_steps(session.id, root, depth=0))
    assert (len(flat.caused), flat.left_out) == (0, 10)


def test_what_is_asked_for_wrongly(session: Session) -> None:
    """An empty text, an unknown mail or session, and a page of nothing are each one sentence."""
    with pytest.raises(ConfigError, match="names no mail"):
        session.trace("  ")
    with pytest.raises(ItemNotFoundError, match="There is no mail"):
        session.trace("ffffffff")
    with pytest.raises(ItemNotFoundError, match="There is no session"):
        run(session.exchange, trace_steps("nowhere", "ff"))
    with pytest.raises(ConfigError, match="1 to 20,000"):
        run(session.exchange, lanes_steps(session.id, count=0))


def test_pages_of_mail(session: Session) -> None:
    """From the newest back; by branch, by category and by time, with a sign that there is more."""
    ada, ben = session.new_branch(name="ada"), session.new_branch(name="ben")
    for number in range(5):
        ada.send(ben, "message", f"{number}")
    ben.send(ada, "signal", "stop")
    page = run(session.exchange, lanes_steps(session.id, count=2))
    assert ([one.text for one in page.passages], page.more) == (["4", "stop"], True)
    before = run(session.exchange, lanes_steps(session.id, count=2, before=page.passages[0].mail))
    assert [one.text for one in before.passages] == ["2", "3"]
    signals = run(session.exchange, lanes_steps(session.id, branch="ben", category="signal"))
    assert ([one.text for one in signals.passages], signals.more) == (["stop"], False)
    assert run(session.exchange, lanes_steps(session.id, since=2e10)).passages == ()


def test_memory_is_bounded(session: Session) -> None:
    """Of more mails than are kept the newest are there, or the first from one on; all of them are counted."""
    ada, ben = session.new_branch(name="ada"), session.new_branch(name="ben")
    with session.batch():
        for number in range(300):
            ada.send(ben, "message", f"{number}")
    ben.receive_all()
    every = list(session.mails_df().mail)
    newest = History(session.id, most=100)
    run(session.exchange, newest.read_steps())
    assert 100 <= len(newest.stories) <= 125
    assert set(newest.stories) <= set(every[-125:])
    assert newest.edges == {(ada.id, ben.id, "message"): 300}
    first = History(session.id, most=100, since=every[50])
    run(session.exchange, first.read_steps())
    assert set(every[50:150]) <= set(first.stories)
    assert len(first.stories) <= 125


def test_reading_goes_on(session: Session) -> None:
    """A second reading adds what is new, and finds what has moved on."""
    remote = session.new_branch(pool="p", behaviour="fails")
    home = session.default_branch
    home.send(remote, "message", "one")
    passages = Passages(session.id)
    run(session.exchange, passages.read_steps())
    assert [one.state for one in passages.all()] == ["waiting"]
    serve(session)
    home.send(remote, "message", "two", delay=60)
    run(session.exchange, passages.read_steps())
    assert [one.state for one in passages.all()] == ["dead", "delayed"]
    session.drop_dead_letters()
    run(session.exchange, passages.read_steps())
    assert [one.state for one in passages.all()] == ["gone", "delayed"]


def test_what_somebody_else_wrote_into_a_log_is_left_out(session: Session) -> None:
    """A record of times that is none hides neither the mail nor the history."""
    ada = session.new_branch(name="ada")
    session.default_branch.send(ada, "message", "hello")
    ada.receive_all()
    session.flush()
    stranger = [Record(Kind.TIMES, body) for body in (b'{"at":1}', b"[1]", b'{"at":"x","mails":[[1]]}', b"no json")]
    place = session.id
    claimed = session.exchange.call(Claim(session.id, place, "t"))
    verb = Commit(
        session.id, place, "t", claimed.cursor, claimed.cursor, claimed.version, (*stranger, Record("odd", b"{}"))
    )
    session.exchange.call(verb)
    assert list(session.mails_df().text) == ["hello"]
    assert len(session.messages) == 0
