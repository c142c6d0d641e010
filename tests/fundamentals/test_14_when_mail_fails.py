"""A mail that fails is tried again later, in its place; when that does not help, a person takes it up."""

import pytest

from lion_broker import Branch, Mail, MailboxFull, Registry, Session
from tests.conftest import RunningWorker

pytestmark = [pytest.mark.redis, pytest.mark.anyio]


def teller(**options: object) -> tuple[Registry, set[str]]:
    """Workers with a behaviour that fails at the words in a set."""
    registry, trouble = Registry(), set[str]()

    @registry.behaviour("teller", **options)  # type: ignore[arg-type]  # each test names what it is about
    async def tell(branch: Branch, mail: Mail) -> None:
        word = mail.package.item.instruction
        if word in trouble:
            raise ValueError(f"not {word}")
        branch.send(mail.sender, "message", f"{word}!")

    return registry, trouble


async def heard(branch: Branch) -> list[str]:
    """What has come back."""
    await branch.areceive_all()
    return [message.text for message in branch.messages]


async def test_order_holds_while_a_mail_is_tried_again(running_worker: RunningWorker) -> None:
    """Later mail of the same sender waits; mail of others goes on."""
    registry, trouble = teller(attempts=1000, backoff=0.01)
    trouble.add("one")
    async with Session(delivery="auto") as session:
        far = await session.anew_branch(name="far", pool="p", behaviour="teller")
        ada, ben = session.default_branch, await session.anew_branch(name="ben")
        for word in ("one", "two"):
            await ada.asend(far, "message", word)
        await ben.asend(far, "message", "three")
        async with running_worker(registry, session.exchange, pool="p"):
            while "three!" not in await heard(ben):
                assert await heard(ada) == []
            trouble.clear()
            await session.await_idle()
        assert await heard(ada) == ["one!", "two!"]


async def test_a_dead_letter_is_sent_again(running_worker: RunningWorker) -> None:
    """When the trouble is over; until then it is kept with everything that is known of it."""
    registry, trouble = teller(attempts=1)
    trouble.add("one")
    async with Session(delivery="auto") as session:
        far = await session.anew_branch(name="far", pool="p", behaviour="teller")
        home = session.default_branch
        await home.asend(far, "message", "one")
        async with running_worker(registry, session.exchange, pool="p"):
            await session.await_idle()
            (letter,) = session.dead_letters
            assert (letter.reason, letter.error, letter.detail) == ("failed", "ValueError", "ValueError: not one")
            trouble.clear()
            assert (await session.aretry_dead_letters(letter)).count == 1
            await session.await_idle()
        assert await heard(home) == ["one!"]
        assert session.dead_letters == []


async def test_a_branch_may_halt(running_worker: RunningWorker) -> None:
    """Where nothing may be left out, the branch waits for a person, with the mail in its place."""
    registry, trouble = teller(on_failure="halt", attempts=1)
    trouble.add("two")
    async with Session(delivery="auto") as session:
        far = await session.anew_branch(name="far", pool="p", behaviour="teller")
        home = session.default_branch
        for word in ("one", "two", "three"):
            await home.asend(far, "message", word)
        async with running_worker(registry, session.exchange, pool="p"):
            async for event in session.events():
                if event.kind == "paused":
                    break
            assert (await heard(home), session.counters()["inflight"]) == (["one!"], 2)
            trouble.clear()
            await session.aresume(far)
            await session.await_idle()
        assert await heard(home) == ["one!", "two!", "three!"]


async def test_a_full_mailbox_says_so() -> None:
    """Nothing was stored: wait, and send again."""
    async with Session(delivery="auto", mailbox_limit=2) as session:
        far = await session.anew_branch(name="far", pool="p")
        for _ in range(2):
            await session.default_branch.asend(far, "message", "hello")
        with pytest.raises(MailboxFull):
            await session.default_branch.asend(far, "message", "hello")
        assert session.counters()["inflight"] == 2


async def test_mail_may_come_later_or_too_late() -> None:
    """A delay counts from the sending, a time to live from the arrival."""
    async with Session(delivery="auto") as session:
        ada, ben = session.default_branch, await session.anew_branch(name="ben")
        await ada.asend(ben, "message", "tomorrow", delay=24 * 3600)
        await ada.asend(ben, "message", "now", ttl=3600)
        assert await heard(ben) == ["now"]
        assert session.counters()["delayed"] == 1
