"""Programs that are killed inside a command: the session is taken up, the same command again has one effect."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from lion_broker import Branch, ItemNotFoundError, Session
from lion_broker.mail.verbs import ListSessions
from lion_broker.testing import wait_until
from tests.apps.commanding import COMMANDS, MAILS, NEW
from tests.ledger import Ledger
from tests.stage import Home, Program, Stage

pytestmark = [pytest.mark.redis, pytest.mark.processes, pytest.mark.chaos]

MOMENTS = ("before", "after")
HISTORY = ["Be kind."]


@pytest.fixture(scope="module")
def ward(home: Home) -> Iterator[Stage]:
    """A namespace for all tests of this module."""
    with home.stage() as stage:
        yield stage


@pytest.fixture(scope="module")
def nursery(ward: Stage) -> Iterator[Program]:
    """Programs that lead sessions, and a worker for their branches; sessions are deleted one by one."""
    worker = ward.worker(pool="p", lease=0.5)
    yield ward.start("-m", "tests.apps.commanding", LION_BROKER_LEASE="0.5")
    assert worker.stop() == 0
    assert ward.server.strays() == []


def order(nursery: Program, command: str, at: int, moment: str) -> dict[str, Any]:
    """Have a program give a command and die at one of its calls; returns what is known of it.

    A command that waits for workers makes more calls one time than another, and may end alive before the last of them.
    """
    assert nursery.process.stdin is not None
    nursery.process.stdin.write(json.dumps({"command": command, "at": at, "moment": moment}) + "\n")
    nursery.process.stdin.flush()
    told: dict[str, Any] = nursery.told()
    assert told["code"] in ((0,) if moment == "never" else (0, 9)), nursery.errors
    return told


def taken_up(session: str, stage: Stage) -> Session:
    """Take a session up as its host, when the dead program's leases have ended."""

    def attempt() -> Session | None:
        found = Session.open(session, exchange=stage.exchange, host=True, timeout=100)
        if all(isinstance(branch, Branch) or branch.pool for branch in found.branches):
            return found
        found.close()
        return None

    return wait_until(attempt)


def texts(branch: Any, sender: str = "") -> list[str]:
    """What a branch has in its history, of one sender."""
    return [message.text for message in branch.messages if message.text.startswith(sender)]


def again(session: Session, command: str) -> None:
    """Give the same command again, unless there is nothing left to do, as a person would who looks first."""
    names = [branch.name for branch in session.branches]
    done = {
        "new branch here": "new" in names,
        "include a branch": "new" in names,
        "merge": "gone" not in names,
        "remove": "gone" not in names,
        "delete a branch": "gone" not in names,
    }
    if not done.get(command):
        COMMANDS[command](session)


def check_common(session: Session) -> None:
    """Insist that all mail that was on its way has arrived once, in order, whatever the command was."""
    for _ in range(3):
        session.collect_send_all(receive_all=True)
    ledger = Ledger.of(session.exchange, session.id)
    assert ledger.doubles() == ledger.gaps() == []
    ada, ben, far = (session.branches[name] for name in ("ada", "ben", "far"))
    assert texts(ben, "ada:")[:9] == [f"ada:{number}" for number in range(9)]
    assert texts(far, "ada:") == [f"ada:{number}" for number in range(3)]
    assert texts(ada, "re ada:") == [f"re ada:{number}" for number in range(3)]


def check_command(session: Session, command: str) -> None:
    """Insist on what the command itself was to do."""
    names = [branch.name for branch in session.branches]
    if command in ("new branch here", "new branch on workers", "include a branch"):
        assert names.count("new") == 1
        assert texts(session.branches["new"]) == HISTORY
        assert command == "include a branch" or session.branches["new"].id == NEW
    elif command.startswith("send from"):
        check_prefixes(session, "ada" if command == "send from here" else "far")
    elif command.startswith("split"):
        copies = [branch for branch in session.branches if branch.name is None][1:]
        assert 1 <= len(copies) <= 2
        whole = HISTORY if command == "split here" else ["Be far."]
        assert [texts(copy)[: len(whole)] for copy in copies] == [whole] * len(copies)
    elif command in ("merge", "remove", "delete a branch"):
        assert "gone" not in names
        assert [letter.reason for letter in session.dead_letters] == ["closed"] * 3
    elif command == "change the default":
        assert session.default_branch.name == "ada"
    elif command == "communicate":
        asked = [text for text in texts(session.branches["far"]) if "What is tea?" in text]
        assert 1 <= len(asked) <= 2
    if command not in ("merge", "remove", "delete a branch"):
        assert session.dead_letters == []


def check_prefixes(session: Session, sender: str) -> None:
    """Of the batch that was cut a beginning is there, in order, and then the whole of the second one."""
    found = [int(text.rpartition(":")[2]) for text in texts(session.branches["ben"], f"{sender}:1")]
    found = [number for number in found if number >= 1000]
    first, second = found[:-MAILS], found[-MAILS:]
    assert second == list(range(1000, 1000 + MAILS))
    assert first == second[: len(first)]


@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "delete the session"])
def test_inside_a_command(ward: Stage, nursery: Program, command: str) -> None:
    """Before and after each call that the command makes to the exchange."""
    calls = order(nursery, command, 0, "never")["calls"]
    assert calls > 0
    cut = [order(nursery, command, at, moment) for at in range(1, calls + 1) for moment in MOMENTS]
    assert len([told for told in cut if told["code"] == 9]) >= calls
    for told in cut:
        with taken_up(told["session"], ward) as session:
            again(session, command)
            check_common(session)
            check_command(session, command)
            session.delete()


def test_inside_a_deletion(ward: Stage, nursery: Program) -> None:
    """A session that is half deleted can be deleted, and nothing of it is left."""
    command = "delete the session"
    calls = order(nursery, command, 0, "never")["calls"]
    assert calls > 0
    for told in [order(nursery, command, at, moment) for at in range(1, calls + 1) for moment in MOMENTS]:
        try:
            Session.open(told["session"], exchange=ward.exchange).delete()
        except ItemNotFoundError:
            assert told["session"] not in ward.exchange.call(ListSessions())
        assert list(ward.server.client.scan_iter(f"*{told['session']}*")) == []


def test_two_at_once(stage: Stage) -> None:
    """Two programs that command rounds of one session at the same time move each mail once, in order."""
    with Session(exchange=stage.exchange, timeout=100) as session:
        ada, ben = session.new_branch(name="ada"), session.new_branch(name="ben")
        far = session.new_branch(name="far", pool="p", behaviour="echo")
        stage.worker(pool="p", lease=0.5)
        words = ("-m", "tests.apps.coordinator", "rounds", session.id)
        programs = [stage.start(*words) for _ in range(2)]
        for program in programs:
            assert program.told() == {"event": "ready"}
        for wave in range(10):
            for number in range(25):
                ada.send(far, "message", f"ada:{25 * wave + number}")
                ada.send(ben, "message", f"ada:{25 * wave + number}")
            session.flush()
        for program in programs:
            assert program.process.stdin is not None
            program.process.stdin.close()
            assert program.wait() == 0, program.errors
        for _ in range(3):
            session.collect_send_all(receive_all=True)
        expected = [f"ada:{number}" for number in range(250)]
        assert texts(ben) == texts(far) == expected
        assert texts(ada) == [f"re {text}" for text in expected]
        ledger = Ledger.of(session.exchange, session.id)
        assert ledger.doubles() == ledger.gaps() == []
        assert session.dead_letters == []
