"""Several programs and several workers on one session at once."""

from collections import Counter

import pytest

from lion_broker import Session
from tests.ledger import Ledger
from tests.stage import Stage

pytestmark = [pytest.mark.redis, pytest.mark.processes]

BRANCHES, MAILS = 6, 20


def test_two_programs_and_three_workers(stage: Stage) -> None:
    """Each program gets the answers to its own mail, once, while a third one watches."""
    with Session(exchange=stage.exchange, delivery="auto") as session:
        remotes = [session.new_branch(name=f"b{n}", pool="p", behaviour="echo") for n in range(BRANCHES)]
        programs = [
            stage.start("-m", "tests.apps.coordinator", "talk", session.id, name, str(MAILS)) for name in ("ada", "ben")
        ]
        stage.workers(3, pool="p")
        told = {name: program.told() for name, program in zip(("ada", "ben"), programs, strict=True)}
        assert [program.wait() for program in programs] == [0, 0]
        for name, value in told.items():
            expected = Counter({f"re {name}:{number}": BRANCHES for number in range(MAILS)})
            assert Counter(value["answers"]) == expected
        ledger = Ledger.of(session.exchange, session.id)
        assert ledger.doubles() == []
        assert ledger.gaps() == []
        assert [ledger.reordered(remote.id) for remote in remotes] == [[]] * BRANCHES
        assert session.get_branch("ada").id == told["ada"]["branch"]
        assert session.dead_letters == []
