"""Workers that are killed again and again while mail flows."""

import random
from itertools import count

import pytest

from lion_broker import Session
from lion_broker.testing import wait_until
from tests.ledger import Ledger
from tests.stage import Stage

pytestmark = [pytest.mark.redis, pytest.mark.processes]

BRANCHES, SINKS, WAVES, MOST_WAVES, WAVE = 20, 4, 6, 30, 100


def test_nothing_is_lost_or_done_twice_or_out_of_order(stage: Stage) -> None:
    """Of three workers one is killed in each of six waves of a hundred mails, each of which makes another mail.

    There are more waves as long as no kill has hit a mail in hand: a run without a fault would show nothing.
    """
    with Session(exchange=stage.exchange, delivery="auto") as session:
        sinks = [session.new_branch(name=f"sink {number}", pool="p") for number in range(SINKS)]
        branches = [
            session.new_branch(pool="p", name=f"b{n}", behaviour="forward", metadata={"to": sinks[n % SINKS].id})
            for n in range(BRANCHES)
        ]
        workers = stage.workers(3, pool="p", lease=0.5)
        dice = random.Random()  # noqa: S311 - which worker dies is no secret
        numbers = count()
        wave = 0
        while wave < WAVES or (not session.counters()["redelivered"] and wave < MOST_WAVES):
            some = 2 * WAVE * wave + WAVE // 5
            with session.batch():
                for _ in range(WAVE):
                    number = next(numbers)
                    session.default_branch.send(branches[number % BRANCHES], "message", f"home:{number}")
            wait_until(lambda: session.counters()["applied"] > some)  # noqa: B023 - asked at once
            workers.pop(dice.randrange(3)).kill()
            workers.append(stage.worker(pool="p", lease=0.5))
            wave += 1
        session.wait_idle()
        ledger = Ledger.of(session.exchange, session.id)
        assert len(ledger.effects) == 2 * wave * WAVE
        assert ledger.doubles() == []
        assert ledger.gaps() == []
        assert [ledger.reordered(branch.id) for branch in (*branches, *sinks)] == [[]] * (BRANCHES + SINKS)
        assert session.dead_letters == []
        assert set(ledger.sent) >= {header.id for sink in sinks for header in ledger.taken[sink.id]}
        assert session.counters()["redelivered"] > 0
