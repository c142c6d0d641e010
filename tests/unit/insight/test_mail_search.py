"""Mail is found by a piece of its id, wherever it is, and listed by where it stands; the exchange is in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest

from lion_broker import Branch, Mail, Registry, Session, Worker
from lion_broker.errors import ConfigError, ItemNotFoundError
from lion_broker.insight.id_parts import matching_ids
from lion_broker.insight.mail_search import find_mail_steps, list_mails_steps, lively_steps
from lion_broker.insight.passages import Passages
from lion_broker.insight.views import Passage
from lion_broker.mail.exchange import run
from lion_broker.mail.memory import MemoryExchange
from lion_broker.mail.verbs import Claim, ReadReady
from lion_broker.testing import wait_until

registry = Registry()
FIRST, SECOND = "01a21a25-3797-721a-94a5-0f1d5927a83b", "01a21a25-3b08-73f8-924d-c6248a365db3"


@registry.behaviour("fails", attempts=1)
async def fails(branch: Branch, mail: Mail) -> None:
    """Fail whatever it is."""
    raise LookupError("nothing here")


@pytest.fixture
def exchange() -> Iterator[MemoryExchange]:
    """An exchange in memory."""
    exchange = MemoryExchange()
    with exchange:
        yield exchange


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        (FIRST, [FIRST]),
        (FIRST.upper(), [FIRST]),
        ("01a21a25", [FIRST, SECOND]),
        ("01a21a25-3b", [SECOND]),
        ("27a83b", [FIRST]),
        ("…27a83b", [FIRST]),
        ("…01a2", []),
        ("83b", []),
        ("zzzz", []),
    ],
)
def test_a_piece_of_an_id_means_it(text: str, meant: list[str]) -> None:
    """The beginning of it, or four characters and more of its end; a beginning goes before an end."""
    assert matching_ids([FIRST, SECOND], text) == meant


def test_a_mail_is_found_without_its_session(exchange: MemoryExchange) -> None:
    """In any of many sessions, by either end of its id; what is not there is said to be nowhere."""
    sessions = [Session(name=f"{number}", exchange=exchange, delivery="auto") for number in range(5)]
    for session in sessions:
        ada = session.new_branch(name="ada")
        session.default_branch.send(ada, "message", f"to {session.name}")
    (passage,) = _mails(exchange, sessions[2])
    wanted = passage.mail
    for piece in (wanted, wanted[-8:], f"…{wanted[-8:]}"):
        found = run(exchange, find_mail_steps(piece))
        assert (found.session, found.trace.passage.mail, found.trace.passage.text) == (
            sessions[2].id,
            passage.mail,
            "to 2",
        )
        assert found.names[passage.recipient] == "ada"
    assert run(exchange, find_mail_steps(wanted[:1], str(sessions[2].id))).trace.passage == passage
    # Made one after another by one program, they differ in their last characters only.
    with pytest.raises(ItemNotFoundError, match="Several mails are meant"):
        run(exchange, find_mail_steps(wanted[:8]))
    with pytest.raises(ItemNotFoundError, match="in 5 sessions looked at"):
        run(exchange, find_mail_steps("ffffffff-ffff"))
    with pytest.raises(ItemNotFoundError, match=f"in the session {sessions[0].id}"):
        run(exchange, find_mail_steps(passage.mail, sessions[0].id))
    with pytest.raises(ConfigError, match="too short"):
        run(exchange, find_mail_steps("01a2"))


def test_several_mails_are_not_one(exchange: MemoryExchange) -> None:
    """What more than one mail of a session begins with names none of them."""
    session = Session(exchange=exchange, delivery="auto")
    ada = session.new_branch(name="ada")
    with session.batch():
        session.default_branch.send(ada, "message", "one")
        session.default_branch.send(ada, "message", "two")
    with pytest.raises(ItemNotFoundError, match="2 mails of the session"):
        run(exchange, find_mail_steps(_mails(exchange, session)[0].mail[:9]))


def test_mail_is_listed_by_where_it_stands(exchange: MemoryExchange) -> None:
    """Of many sessions the newest that fit; sessions without such mail are not read, and what was left out is told."""
    quiet = Session(name="quiet", exchange=exchange, delivery="auto")
    quiet.default_branch.send(quiet.new_branch(name="ada"), "message", "hello")
    busy = Session(name="busy", exchange=exchange, delivery="auto")
    clerk = busy.new_branch(name="clerk", pool="p", behaviour="fails")
    busy.default_branch.send(clerk, "message", "dies")

    async def work() -> None:
        async with Worker(registry, exchange=exchange, pool="p") as worker:
            await worker.run(until_idle=True)

    asyncio.run(work())
    busy.default_branch.send(clerk, "message", "waits")
    both = (quiet.id, busy.id)

    def listed(*states: str, most: int = 10) -> list[tuple[str, str]]:
        found = run(exchange, list_mails_steps(both, lambda one, names: True, most, states))
        return [(one.text, one.state) for _, one in found.mails]

    assert listed() == [("hello", "waiting"), ("dies", "dead"), ("waits", "waiting")]
    assert listed("dead") == [("dies", "dead")]
    assert listed("waiting", most=1) == [("waits", "waiting")]
    assert listed("waiting", "dead") == listed()
    assert listed("applied") == []
    left = run(exchange, list_mails_steps(both, lambda one, names: names[one.recipient] == "clerk", 1, ()))
    assert ([one.text for _, one in left.mails], left.left) == (["waits"], 1)


def test_the_liveliest_session_comes_last(exchange: MemoryExchange) -> None:
    """An old session in which something happens goes before a new one in which nothing does."""
    old = Session(name="old", exchange=exchange, delivery="auto")
    ada = old.new_branch(name="ada")
    new = Session(name="new", exchange=exchange, delivery="auto")
    both = [str(old.id), str(new.id)]

    def lively() -> list[str]:
        old.default_branch.send(ada, "message", "again")
        return list(run(exchange, lively_steps(both)))

    wait_until(lambda: lively() == both[::-1])
    assert run(exchange, lively_steps([])) == ()


def test_a_mail_in_hand_tells_who_has_lost_it(exchange: MemoryExchange) -> None:
    """While it is worked at again, before any commit: the attempts, and the worker that is gone."""
    session = Session(exchange=exchange, delivery="auto")
    clerk = session.new_branch(name="clerk", pool="p", behaviour="fails")
    session.default_branch.send(clerk, "message", "hard work")
    (entry,) = exchange.call(ReadReady("p", "reader", 1))
    exchange.call(Claim(session.id, clerk.id, "t1", entry.id, "p", "first worker", lease_ms=1))
    lost = _only(exchange, session, lambda one: one.state == "waiting")
    assert (lost.attempts, lost.reason) == (1, "WorkerLost: first worker")
    exchange.call(Claim(session.id, clerk.id, "t2", entry.id, "p", "second worker", lease_ms=60_000))
    again = _only(exchange, session, lambda one: one.state == "working")
    assert (again.attempts, again.owner, again.reason) == (2, "second worker", "WorkerLost: first worker")


def _only(exchange: MemoryExchange, session: Session, fits: Callable[[Passage], bool]) -> Passage:
    """The one mail of a session, when it stands where it should: leases end by themselves."""
    wait_until(lambda: fits(_mails(exchange, session)[0]))
    return _mails(exchange, session)[0]


def _mails(exchange: MemoryExchange, session: Session) -> list[Passage]:
    return [one for _, one in run(exchange, list_mails_steps([str(session.id)], lambda one, names: True, 100)).mails]


def test_what_stands_is_listed_however_much_came_after_it(exchange: MemoryExchange) -> None:
    """A dead letter and a mail that waits are older than what is kept; how many older ones are not is said."""
    with Session(exchange=exchange, delivery="auto") as session:
        dies = session.new_branch(name="dies", pool="p", behaviour="fails")
        waits = session.new_branch(name="waits", pool="nobody")
        session.default_branch.send(dies, "message", "old and dead")
        session.default_branch.send(waits, "message", "old and waiting")
        ada, ben = session.new_branch(name="ada"), session.new_branch(name="ben")
        asyncio.run(Worker(registry, exchange=exchange, pool="p").run(until_idle=True))
        for number in range(30):
            ada.send(ben, "message", f"new {number}")
            ben.receive_all()
        session.flush()
        passages = Passages(str(session.id), most=8)
        run(exchange, passages.read_steps())
        stand = [(one.text, one.state) for one in passages.all() if one.state != "applied"]
        assert stand == [("old and dead", "dead"), ("old and waiting", "waiting")]
        assert passages.history.left_out
        # Another look goes on, and keeps what still stands.
        ada.send(ben, "message", "newest")
        session.flush()
        run(exchange, passages.read_steps())
        assert [one.text for one in passages.all()][:2] == ["old and dead", "old and waiting"]
