"""Tasks of one program that use the same session at the same time: nothing is lost, nothing is done twice."""

import asyncio

import pytest

from lion_broker import Branch, Instruction, Session
from lion_broker.mail.verbs import Collect, Dispatch, Send
from tests.doubles import Interrupted, Jittery
from tests.ledger import Ledger

pytestmark = pytest.mark.anyio


def said(branch: Branch) -> list[str]:
    """What was said in a branch."""
    return [message.text for message in branch.messages]


def check(session: Session) -> None:
    """Insist that the logs are whole and nothing became a dead letter."""
    ledger = Ledger.of(session.exchange, session.id)
    assert ledger.doubles() == []
    assert ledger.gaps() == []
    assert session.dead_letters == []
    for branch in session.branches:
        with Session.open(session.id, exchange=session.exchange) as reader:
            assert said(reader.branches[branch.id]) == said(branch)


async def test_many_tasks_send_from_one_branch() -> None:
    """Each mail arrives once, in the order of its task."""
    async with Session(exchange=Jittery(), delivery="auto") as session:
        home, ben = session.default_branch, session.new_branch(name="ben")

        async def write(name: str) -> None:
            for number in range(10):
                await home.asend(ben, "message", f"{name}{number}")

        await asyncio.gather(*(write(name) for name in "abcd"))
        await ben.areceive_all()
        for name in "abcd":
            assert [text for text in said(ben) if text[0] == name] == [f"{name}{number}" for number in range(10)]
        await session.aflush()
        check(session)


async def test_what_happens_while_a_commit_is_on_its_way() -> None:
    """It belongs to the next commit."""
    exchange = Interrupted()
    async with Session(exchange=exchange) as session:
        home, ben = session.default_branch, session.new_branch(name="ben")

        def act() -> None:
            home.messages.include(Instruction.create(instruction="meanwhile"))
            home.logs.log("meanwhile")
            home.send(ben, "message", "meanwhile")

        home.messages.include(Instruction.create(instruction="before"))
        exchange.interrupt(Dispatch, act)
        await session.aflush()
        await session.acollect_send_all(receive_all=True)
        assert (said(home), said(ben)) == (["before", "meanwhile"], ["meanwhile"])
        check(session)


@pytest.mark.parametrize("verb", [Send, Collect, Dispatch])
async def test_mail_that_is_sent_during_a_round(verb: type[Send | Collect | Dispatch]) -> None:
    """It waits for the next round, in the outbox."""
    exchange = Interrupted()
    async with Session(exchange=exchange) as session:
        home, ben = session.default_branch, session.new_branch(name="ben")
        home.send(ben, "message", "one")
        exchange.interrupt(verb, lambda: home.send(ben, "message", "two"))
        async with asyncio.timeout(60):
            await session.acollect()
            await session.asend()
            await session.acollect_send_all(receive_all=True)
        assert said(ben) == ["one", "two"]
        check(session)


async def test_two_receive_at_the_same_time() -> None:
    """Each mail is applied once, by one of them."""
    async with Session(exchange=Jittery()) as session:
        home, ben = session.default_branch, session.new_branch(name="ben")
        for number in range(5):
            home.send(ben, "message", str(number))
        session.mail_manager.collect_all()
        await asyncio.gather(session.asend(), ben.areceive_all(), ben.areceive_all(), session.acollect())
        await ben.areceive_all()
        assert said(ben) == ["0", "1", "2", "3", "4"]
        check(session)


async def test_a_commit_that_was_cancelled() -> None:
    """It may have been made or not; what comes after is not lost with it."""
    exchange = Interrupted()
    async with Session(exchange=exchange, delivery="auto") as session:
        home, ben = session.default_branch, session.new_branch(name="ben")
        sending = asyncio.ensure_future(home.asend(ben, "message", "one"))
        exchange.interrupt(Dispatch, sending.cancel)
        await asyncio.wait([sending])
        await home.asend(ben, "message", "two")
        await ben.areceive_all()
        assert said(ben) == ["one", "two"]
        check(session)


async def test_conversations_side_by_side() -> None:
    """What was asked and answered is all stored."""
    async with Session(exchange=Jittery()) as session:
        home = session.new_branch(name="home", imodel="offline/extractive")
        await asyncio.gather(*(home.communicate("What?", context=[f"It is {n}."]) for n in range(4)))
        assert len(home.messages) == 8
        await session.aflush()
        check(session)


async def test_rounds_side_by_side() -> None:
    """Several tasks command rounds while others write."""
    async with Session(exchange=Jittery()) as session:
        home, ben = session.default_branch, session.new_branch(name="ben")

        async def write() -> None:
            for number in range(20):
                home.send(ben, "message", str(number))
                await asyncio.sleep(0)

        async def rounds() -> None:
            for _ in range(5):
                await session.acollect_send_all(receive_all=True)

        async with asyncio.timeout(60):
            await asyncio.gather(write(), rounds(), rounds())
            await session.acollect_send_all(receive_all=True)
        assert said(ben) == [str(number) for number in range(20)]
        check(session)
