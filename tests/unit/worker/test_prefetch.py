"""How many mails a branch is given at once: as many as it has work with for a moment."""

from collections.abc import Sequence
from typing import Any

import pytest

from lion_broker import Branch, Mail, Registry, Session, Worker
from lion_broker.mail.memory import MemoryExchange
from lion_broker.mail.verbs import Claim, Verb
from lion_broker.worker import prefetch
from lion_broker.worker.prefetch import Prefetch

BATCH = 200


@pytest.mark.parametrize(
    ("seconds", "done", "left", "ahead"),
    [
        (0.0, 0, 0, 200),  # nothing is known
        (0.1, 50, 0, 200),  # 2 ms each: more than a batch
        (0.1, 2, 0, 8),  # 50 ms each
        (0.1, 2, 3, 5),  # the same, and some are at hand
        (0.1, 2, 30, 1),  # more are at hand than needed; none at all would hand the branch back
        (60.0, 1, 0, 1),  # a model that thinks
        (60.0, 0, 0, 1),  # the first one failed, after a while
    ],
)
def test_of_mails_that_take_long_few_are_handed_out(seconds: float, done: int, left: int, ahead: int) -> None:
    """As many as the branch has work with for 0.4 s; the others can be withdrawn, and go to whoever takes over."""
    assert Prefetch().of_commit("s", BATCH, seconds, done, left) == ahead


def test_what_is_not_known_is_claimed_in_small_parts_where_branches_are_needed() -> None:
    """Mail that is only written down takes no time to speak of, and nobody makes a small part of a small batch."""
    new = Prefetch()
    assert new.of_claim("s", BATCH, needed=False) == BATCH
    assert new.of_claim("s", BATCH, needed=True) == 8
    assert new.of_claim("s", 3, needed=True) == 3


@pytest.mark.parametrize(
    ("seconds", "many"), [(0.0, 200), (0.001, 200), (0.002, 200), (0.01, 40), (0.05, 8), (0.3, 1), (60.0, 1)]
)
def test_a_claim_goes_by_the_last_turn(seconds: float, many: int) -> None:
    """As if it were the commit of that one; what is at hand there is not at hand here."""
    known = Prefetch()
    known.of_commit("s", BATCH, seconds * 5, 5, 100)
    assert known.of_claim("s", BATCH, needed=True) == many


def test_the_latest_turns_count_most() -> None:
    """A session whose handlers have become quick has large claims again; one that is slow does not concern others."""
    known = Prefetch()
    known.of_commit("slow", BATCH, 0.05, 1, 0)
    known.of_commit("quick", BATCH, 0.0001, 1, 0)
    assert [known.of_claim(one, BATCH, needed=True) for one in ("slow", "quick", "new")] == [8, BATCH, 8]
    known.of_commit("slow", BATCH, 0.03, 1, 0)
    assert known.of_claim("slow", BATCH, needed=True) == 10
    for _ in range(6):
        known.of_commit("slow", BATCH, 0.0, 1, 0)
    assert known.of_claim("slow", BATCH, needed=True) == BATCH


def test_sessions_are_forgotten() -> None:
    """What is kept does not grow with all sessions that there ever were."""
    known = Prefetch()
    for number in range(2000):
        known.of_commit(f"s{number}", BATCH, 1.0, 1, 0)
    assert len(known._usual) == 1024
    assert known.of_claim("s1999", BATCH, needed=True) == 1
    assert known.of_claim("s0", BATCH, needed=True) == 8


class Claims(MemoryExchange):
    """An exchange that notes how many mails claims ask for."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []

    async def acall_all(self, verbs: Sequence[Verb[Any]], /, **way: Any) -> list[Any]:
        """Do the verbs."""
        self.batches += [verb.batch for verb in verbs if isinstance(verb, Claim)]
        return await super().acall_all(verbs, **way)


@pytest.mark.anyio
@pytest.mark.parametrize(("seconds", "then"), [(-1.0, 1), (3600.0, BATCH)])
async def test_a_claim_goes_by_how_long_mails_of_the_session_took(
    seconds: float, then: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one branch took tells of the next one of its session: what it cannot come to soon waits in its mailbox."""
    monkeypatch.setattr(prefetch, "_AHEAD_SECONDS", seconds)
    registry = Registry()

    @registry.behaviour("note")
    async def note(branch: Branch, mail: Mail) -> None:
        pass

    exchange = Claims()
    with Session(exchange=exchange, delivery="auto") as session:
        remotes = [session.new_branch(pool="p", behaviour="note") for _ in range(2)]
        with session.batch():
            for text in "abc":
                for remote in remotes:
                    session.default_branch.send(remote, "message", text)
        async with Worker(registry, exchange=exchange, pool="p", concurrency=1) as worker:
            await worker.run(until_idle=True)
        assert [len(remote.messages) for remote in remotes] == [3, 3]
    assert exchange.batches == [BATCH, then]
