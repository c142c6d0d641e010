"""Mail that waits is withdrawn by whoever has its session open: it is a dead letter, and who waits hears of it."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Thread
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from lion_broker import ConfigError, ItemNotFoundError, OperationCancelled, Session
from lion_broker.mail.memory import MemoryExchange
from lion_broker.mail.verbs import Claim, ReadAudit, ReadReady, ReadWaiting
from lion_broker.mail.waiting import WaitsAt
from lion_broker.session.withdrawing import TakenOut


@pytest.fixture
def auto() -> Iterator[Session]:
    """A session with automatic delivery and a remote branch on a pool that nobody serves."""
    with Session(exchange=MemoryExchange(), delivery="auto") as session:
        session.new_branch(name="far", pool="p", behaviour="echo")
        yield session


def say(session: Session, *items: str, to: str = "far", **options: Any) -> list[str]:
    """Send messages from the default branch; the ids of the mails."""
    far = session.get_branch(to)
    for item in items:
        session.default_branch.send(far, "message", item, **options)
    session.flush()
    where = WaitsAt.DELAYED if options else WaitsAt.MAILBOX
    rows = session.exchange.call(ReadWaiting(session.id, far.id, where, count=1000))
    return [row.mail.id for row in rows][-len(items) :]  # type: ignore[union-attr]


def test_one_is_withdrawn_and_comes_back(auto: Session) -> None:
    """By its id; the letter says why and by whom, and is sent again like any other."""
    one, _two = say(auto, "One.", "Two.")
    done = auto.withdraw(one, reason="Wrong customer.", by="Ada")
    (letter,) = auto.dead_letters
    assert done == TakenOut({one: letter.id})
    assert (done.count, letter.reason, letter.detail) == (1, "withdrawn", "Withdrawn by Ada: Wrong customer.")
    assert auto.counters()["inflight"] == 1
    auto.retry_dead_letters(letter)
    assert (auto.dead_letters, auto.counters()["inflight"]) == ([], 2)


def test_it_stands_in_the_audit(auto: Session) -> None:
    """Who, what and which; one entry for many mails, none where nothing waits."""
    ids = say(auto, "One.", "Two.")
    auto.withdraw(ids, by="Ada", reason="too late")
    auto.withdraw(ids, by="Ada")
    (entry,) = auto.exchange.call(ReadAudit())
    assert (entry.who, entry.what, entry.target) == ("Ada", "withdraw mail", f"session {auto.id}")
    assert entry.detail == f"2: {ids[0]}, {ids[1]} (too late)"


def test_all_that_waits_for_a_branch(auto: Session) -> None:
    """Whatever the station; mail to others stays."""
    auto.new_branch(name="other", pool="p", behaviour="echo")
    say(auto, "One.", "Two.")
    say(auto, "Later.", delay=60)
    say(auto, "Stays.", to="other")
    assert auto.withdraw(None, branch="far").count == 3
    assert len(auto.dead_letters) == 3
    auto.withdraw(None)
    auto.wait_idle(timeout=1)


def test_all_of_a_category(auto: Session) -> None:
    """A category that there is not is refused."""
    say(auto, "One.")
    assert auto.withdraw(None, category="tool") == TakenOut()
    assert auto.withdraw(None, category="message").count == 1
    with pytest.raises(ConfigError, match="no category 'letters'; there are message"):
        auto.withdraw(None, category="letters")


def test_more_than_one_call_takes(auto: Session) -> None:
    """In pieces; counters and mailbox come out even."""
    ids = say(auto, *map(str, range(250)))
    assert auto.withdraw(ids).count == 250
    assert (auto.counters()["inflight"], len(auto.dead_letters)) == (0, 250)


def test_each_that_stays_is_told_why(auto: Session) -> None:
    """In words, with what to do: in hand, dead already, unknown."""
    one, two = say(auto, "One.", "Two.")
    far = auto.get_branch("far")
    (ready,) = auto.exchange.call(ReadReady("p", "worker", 10))
    auto.exchange.call(Claim(auto.id, far.id, "t1", ready.id, "p", "worker", batch=1))
    auto.withdraw(two)
    done = auto.withdraw([one, two, "no such mail", one])
    (letter,) = auto.dead_letters
    assert done.letters == {}
    assert done.left == {
        one: f"a worker has it in hand: `lion-broker mail stop {one} --session {auto.id}` stops it",
        two: f"it is a dead letter already (withdrawn): `lion-broker dead show {auto.id} {letter.id}`",
        "no such mail": "it does not wait here: it was handled, or there is no such mail;"
        " `lion-broker mail show no such mail` tells",
    }


def test_a_mail_that_waits_for_a_round_is_taken_back() -> None:
    """Out of the outbox too; the branch's own picture of it loses it as well."""
    with Session(exchange=MemoryExchange()) as session:
        ada, ben = session.default_branch, session.new_branch(name="ben")
        ada.send(ben, "message", "One.")
        ada.send(ben, "message", "Two.")
        one = next(iter(ada.mailbox.outgoing()))
        assert session.withdraw(one).count == 1
        assert one.id not in ada.mailbox
        session.collect_send_all(receive_all=True)
        assert [message.text for message in ben.messages] == ["Two."]


def test_what_a_program_has_open_is_its_own() -> None:
    """Mail in the inbox of a local branch is left to the program that has it."""
    with Session(exchange=MemoryExchange(), delivery="auto") as session:
        ben = session.new_branch(name="ben")
        session.default_branch.send(ben, "message", "One.")
        session.flush()
        done = session.withdraw(None, branch=ben)
        assert list(done.left.values()) == [
            "the program that has its branch open may have read it; it can be withdrawn when that program has gone"
        ]


@pytest.mark.anyio
async def test_who_waits_for_a_command_hears_of_it(auto: Session) -> None:
    """At once, not when its patience is over."""
    far = await auto.aget_branch("far")
    async with anyio.create_task_group() as group:

        async def take_out() -> None:
            while not (await auto.awithdraw(None, category="command", by="Ada", reason="too dear")).count:
                await anyio.lowlevel.checkpoint()

        group.start_soon(take_out)
        with anyio.fail_after(60), pytest.raises(OperationCancelled, match=r"^Withdrawn by Ada: too dear\.$"):
            await far.chat("How many?")


def test_two_at_once_withdraw_each_mail_once(auto: Session) -> None:
    """Together they have all of them, and each is one letter."""
    ids = say(auto, *map(str, range(200)))
    done: list[TakenOut] = []
    with Session.open(auto.id, exchange=auto.exchange) as other:
        both = [Thread(target=lambda one=one: done.append(one.withdraw(ids))) for one in (auto, other)]
        for thread in both:
            thread.start()
        for thread in both:
            thread.join(60)
    assert sum(one.count for one in done) == 200
    assert {**done[0].letters, **done[1].letters}.keys() == set(ids)
    assert len(auto.dead_letters) == 200


@pytest.mark.anyio
async def test_without_blocking(auto: Session) -> None:
    """The same for an event loop."""
    (one,) = say(auto, "One.")
    assert (await auto.awithdraw([one])).count == 1


@pytest.mark.parametrize("wrong", [7, "", [7], [""], [None]])
def test_what_is_no_mail_is_refused(auto: Session, wrong: Any) -> None:
    """Before anything is done."""
    with pytest.raises(ConfigError, match=r"Mails? (is|are) named|A mail is named"):
        auto.withdraw(wrong)


def test_an_unknown_branch_is_refused(auto: Session) -> None:
    """A name that no branch has is a slip."""
    with pytest.raises(ItemNotFoundError):
        auto.withdraw(None, branch="nobody")
