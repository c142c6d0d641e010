"""The live tail, mail by mail: what a turn did is told once, and goes on where it was left."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from lion_broker import Branch, Mail, Registry, Session, Worker
from lion_broker.errors import ConfigError
from lion_broker.insight.tail import Happenings
from lion_broker.insight.views import Happening
from lion_broker.mail.exchange import run
from lion_broker.mail.memory import MemoryExchange

pytestmark = pytest.mark.anyio
registry = Registry()


@registry.behaviour("moody", attempts=2, backoff=0.0)
async def moody(branch: Branch, mail: Mail) -> None:
    """Answer, or fail when the text says so."""
    if "fail" in str(mail.package.item.text):
        raise LookupError("no")
    branch.send(mail.sender, "message", "yes")


@pytest.fixture
def session() -> Iterator[Session]:
    """A session in memory with automatic delivery."""
    with Session(exchange=MemoryExchange(), delivery="auto") as session:
        yield session


def serve(session: Session) -> None:
    """Let a worker do everything that can be done."""

    async def work() -> None:
        async with Worker(registry, exchange=session.exchange, pool="p") as worker:
            await worker.run(until_idle=True)

    asyncio.run(work())


def told(session: Session, after: str | None = None) -> list[Happening]:
    """What has happened until now."""
    return list(session.happenings(after, timeout=0))


def test_a_mail_from_its_sending_to_its_end(session: Session) -> None:
    """Sent, applied, answered; failed twice, and dead; paused and resumed."""
    remote = session.new_branch(name="remote", pool="p", behaviour="moody")
    home = session.default_branch
    after = told(session)[-1].id
    home.send(remote, "message", "hello")
    serve(session)
    home.receive_all()
    found = told(session, after)
    assert [(one.kind, one.sender, one.recipient) for one in found] == [
        ("sent", home.id, remote.id),
        ("applied", home.id, remote.id),
        ("sent", remote.id, home.id),
        ("applied", remote.id, home.id),
    ]
    assert found[0].mail == found[1].mail
    assert found[1].text == "hello"
    after = found[-1].id
    home.send(remote, "message", "fail")
    serve(session)
    session.pause(remote)
    session.resume(remote)
    found = told(session, after)
    assert [one.kind for one in found] == ["sent", "failed", "dead", "failed", "paused", "resumed"] or [
        one.kind for one in found
    ] == ["sent", "failed", "failed", "dead", "paused", "resumed"]
    failed = [(one.error, one.attempt, one.text, one.detail) for one in found if one.kind == "failed"]
    assert failed == [("LookupError", 1, "retry", "no"), ("LookupError", 2, "dead", "no")]
    (dead,) = [one for one in found if one.kind == "dead"]
    assert (dead.mail, dead.sender, dead.text, dead.error) == (found[0].mail, home.id, "failed", "LookupError")
    assert dead.detail == "LookupError: no"


def test_it_goes_on_after_any_of_its_ids(session: Session) -> None:
    """Also in the middle of a turn that did many things; nothing is lost, and nothing told twice."""
    ben = session.new_branch(name="ben")
    with session.batch():
        for number in range(7):
            session.default_branch.send(ben, "message", f"{number}")
    ben.receive_all()
    every = told(session)
    assert len({one.id for one in every}) == len(every) == 2 + 7 + 7
    for place, one in enumerate(every):
        assert told(session, one.id) == every[place + 1 :]


def test_it_goes_on_in_the_middle_of_the_oldest_that_is_kept(session: Session) -> None:
    """What a reader has seen a part of and is the oldest there is, is no gap; what has gone is one."""
    ben = session.new_branch(name="ben")
    first = told(session)[0]
    with session.batch():
        for number in range(3):
            session.default_branch.send(ben, "message", f"{number}")
    middle = next(one for one in told(session) if one.id.endswith(".1"))
    events = list(session.events(timeout=0))
    place = next(number for number, one in enumerate(events) if one.id == middle.id.partition(".")[0])
    store = session.exchange._store.sessions[session.id]  # type: ignore[attr-defined]  # the exchange is in memory
    for one in events[:place]:
        store.events.pop(one.id)
    store.forgotten = True
    assert [one.kind for one in told(session, middle.id)] == ["sent", "sent"]
    gap, *rest = told(session, first.id)
    assert (gap.kind, gap.id) == ("gap", first.id)
    assert len(rest) == 3


def test_from_now_on(session: Session) -> None:
    """`$` tells nothing of what was before."""
    tail = Happenings(session.id, "$")
    assert run(session.exchange, tail.next_steps()) == []
    session.new_branch(name="ada")
    (one,) = run(session.exchange, tail.next_steps())
    assert (one.kind, one.text) == ("created", "ada")


@pytest.mark.parametrize(
    "after", ["x", "1", "1-", "1-0.", "1-0.x", "1-0.-1", "-1-0", "1-0.1.2", "99999999999999999999999-0"]
)
def test_an_id_that_is_none(session: Session, after: str) -> None:
    """It is refused with the form that ids have."""
    with pytest.raises(ConfigError, match="goes on after an id"):
        session.happenings(after)


async def test_many_wait_together(session: Session) -> None:
    """A waiting tail does not block the loop, and ends in time."""
    tail = session.happenings("$", timeout=0.05)
    assert [one async for one in tail] == []


def test_what_is_not_of_this_package_is_told_as_it_is(session: Session) -> None:
    """An occurrence of another kind, or a turn of nobody, does no harm."""
    store = session.exchange._store  # type: ignore[attr-defined]  # the exchange is in memory
    mine = store.sessions[session.id]
    store.tell(mine, "turn", {"branch": "a b", "version": "9"})
    store.tell(mine, "turn", {"branch": session.id, "version": "9" * 30})
    store.tell(mine, "dead", {"branch": "x"})
    store.tell(mine, "odd", {"text": "\x1b[31m"})
    assert [one.kind for one in told(session)][-2:] == ["dead", "odd"]
