"""Mail that goes out at once: each sender is told what became of its own, and tasks that send together share calls."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from anyio.lowlevel import checkpoint

from lion_broker import Branch, BrokerUnavailable, LeaseLost, LionError, MailboxFull, Session
from lion_broker.branch.batch import MOST_ON_THEIR_WAY, PIECE
from lion_broker.core.single_flight import SingleFlight
from lion_broker.mail.memory import MemoryExchange
from lion_broker.mail.verbs import Claim, Dispatch, Release, Station, Verb
from tests.doubles import Jittery
from tests.ledger import Ledger

pytestmark = pytest.mark.anyio


class Counting(Jittery):
    """Counts the commits of what was sent; does not answer the next one, having done it or not, when it `fails`."""

    dispatches = 0
    fails = ""

    async def acall_all(self, verbs: Sequence[Verb[Any]], /, **way: Any) -> list[Any]:
        """Do the verbs."""
        if not any(isinstance(verb, Dispatch) for verb in verbs):
            return await super().acall_all(verbs, **way)
        self.dispatches += 1
        how, self.fails = self.fails, ""
        if how == "before":
            await self._dawdle()
            raise BrokerUnavailable("The question was lost on the way.")
        answers = await super().acall_all(verbs, **way)
        if how:
            raise BrokerUnavailable("The answer was lost on the way.")
        return answers

    async def _dawdle(self) -> None:
        # Never at once, so that all who send at the same time have come before the first is answered.
        await checkpoint()
        await super()._dawdle()


@pytest.fixture
def exchange() -> Counting:
    """An exchange that is asked by many tasks."""
    return Counting()


def session_on(exchange: MemoryExchange, **settings: Any) -> Session:
    """A session that delivers at once."""
    return Session(exchange=exchange, delivery="auto", **settings)


async def sent(home: Branch, mails: Iterable[tuple[Branch, str]]) -> list[BaseException | None]:
    """What each of some mails, sent at the same time, was told."""
    return await asyncio.gather(*(home.asend(to, "message", text) for to, text in mails), return_exceptions=True)


def said(branch: Branch) -> list[str]:
    """What was said in a branch."""
    branch.receive_all()
    return [message.text for message in branch.messages]


async def test_tasks_that_send_together_share_a_call(exchange: Counting) -> None:
    """The first goes alone; what has come meanwhile goes together, in order."""
    async with session_on(exchange) as session:
        ben = session.new_branch(name="ben")
        texts = [str(number) for number in range(100)]
        assert await sent(session.default_branch, [(ben, text) for text in texts]) == [None] * 100
        assert exchange.dispatches == 2
        assert said(ben) == texts
        assert len(session.default_branch.mailbox) == 0


async def test_each_is_told_of_its_own_mail(exchange: Counting) -> None:
    """A full recipient concerns those who wrote to it, and nobody else."""
    async with session_on(exchange, mailbox_limit=3) as session:
        ben, cleo = session.new_branch(name="ben"), session.new_branch(name="cleo")
        mails = [(ben, "b0"), *((to, f"{to.name}{n}") for n in range(5) for to in (ben, cleo) if n < 2 or to is ben)]
        told = await sent(session.default_branch, mails)
        arrived = {*said(ben), *said(cleo)}
        assert [error is None for error in told] == [text in arrived for _, text in mails]
        assert {type(error) for error in told} == {type(None), MailboxFull}
        assert {"cleo0", "cleo1"} < arrived
        assert (len(session.default_branch.mailbox), session.dead_letters) == (0, [])


async def test_all_are_told_of_a_lost_branch(exchange: Counting) -> None:
    """What they sent is void."""
    session = session_on(exchange)
    home, ben = session.default_branch, session.new_branch(name="ben")
    assert home._host is not None
    exchange.call(Release((Station(session.id, home.id, home._host.token),)))
    exchange.call(Claim(session.id, home.id, "another token"))
    told = await sent(home, [(ben, str(number)) for number in range(5)])
    assert [type(error) for error in told] == [LeaseLost] * 5
    assert (len(home.mailbox), said(ben)) == (0, [])


@pytest.mark.parametrize("how", ["before", "after"])
async def test_all_are_told_that_nobody_answers(exchange: Counting, how: str) -> None:
    """Their mail is kept, and goes out with the next command, once."""
    async with session_on(exchange) as session:
        home, ben = session.default_branch, session.new_branch(name="ben")
        exchange.fails = how
        told = await sent(home, [(ben, str(number)) for number in range(5)])
        assert [type(error) for error in told] == [BrokerUnavailable] * 5
        assert all("The mail is kept" in str(error) for error in told)
        await home.asend(ben, "message", "5")
        assert said(ben) == ["0", "1", "2", "3", "4", "5"]
        ledger = Ledger.of(exchange, session.id)
        assert (ledger.doubles(), ledger.gaps()) == ([], [])


async def test_one_that_asks_for_all_is_cancelled(exchange: Counting) -> None:
    """Another one asks again; nothing is lost, and nothing goes twice."""
    async with session_on(exchange) as session:
        home, ben = session.default_branch, session.new_branch(name="ben")
        tasks = [asyncio.ensure_future(home.asend(ben, "message", str(number))) for number in range(5)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        told = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(error) for error in told] == [asyncio.CancelledError, *[type(None)] * 4]
        assert said(ben) == ["0", "1", "2", "3", "4"]


async def test_one_that_was_to_ask_next_is_cancelled(exchange: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has been woken for that and has not begun: then it is for the one behind it."""
    wake = SingleFlight._wake

    def wake_and_cancel(flight: SingleFlight, woken: asyncio.Future[Any] | None, failed: LionError | None) -> None:
        wake(flight, woken, failed)
        tasks[1].cancel()

    monkeypatch.setattr(SingleFlight, "_wake", wake_and_cancel)
    async with session_on(exchange) as session:
        home, ben = session.default_branch, session.new_branch(name="ben")
        tasks = [asyncio.ensure_future(home.asend(ben, "message", str(number))) for number in range(3)]
        told = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(error) for error in told] == [type(None), asyncio.CancelledError, type(None)]
        assert (said(ben), exchange.dispatches) == (["0", "1", "2"], 2)  # it was sent before it was cancelled


async def test_many_questions_have_many_askers(exchange: Counting) -> None:
    """Who has its answer does not ask for the others: each question is that of the first whose mail is left."""
    async with session_on(exchange) as session:
        ben = session.new_branch(name="ben")
        many = PIECE * MOST_ON_THEIR_WAY * 3
        assert await sent(session.default_branch, [(ben, str(number)) for number in range(many)]) == [None] * many
        assert said(ben) == [str(number) for number in range(many)]
        assert exchange.dispatches <= 5


async def test_mail_that_is_taken_back_meanwhile(exchange: Counting) -> None:
    """Whoever sent it waits for nothing, and it does not arrive."""
    async with session_on(exchange) as session:
        home, ben = session.default_branch, session.new_branch(name="ben")
        tasks = [asyncio.ensure_future(home.asend(ben, "message", text)) for text in ("a", "b", "c")]
        await asyncio.sleep(0)
        home.mailbox.exclude(next(mail for mail in home.mailbox.outgoing() if mail.package.item == "b"))
        await asyncio.gather(*tasks)
        assert said(ben) == ["a", "c"]


def test_two_event_loops_one_after_the_other(exchange: Counting) -> None:
    """What one loop has left belongs to no other."""
    session = session_on(exchange)
    ben = session.new_branch(name="ben")
    for text in ("one", "two"):
        asyncio.run(session.default_branch.asend(ben, "message", text))
    assert said(ben) == ["one", "two"]
    session.close()
