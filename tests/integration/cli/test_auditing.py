"""What commands change is written down, as what is changed from the pages is."""

import pytest

from lion_broker import Session
from lion_broker.__main__ import main
from lion_broker.cli.exits import Code
from lion_broker.mail.verbs import ReadAudit
from tests.integration.cli.conftest import Told
from tests.stage import Stage

pytestmark = pytest.mark.redis


def entries_of_commands(stage: Stage) -> list[tuple[str, str, str]]:
    """What the audit says of commands, the oldest first."""
    found = [one for one in stage.exchange.call(ReadAudit()) if "command line" in one.who]
    return [(one.what, one.target, one.detail) for one in reversed(found)]


def test_dead_letters(session: Session, stage: Stage, told: Told) -> None:
    """Which were sent again, edited or dropped; a dry run and a look are no acts."""
    ben = session.new_branch(name="ben", pool="p")
    for text in ("one", "two", "three"):
        session.default_branch.send(ben, "message", text)
    session.withdraw(None)
    letters = [letter.id for letter in session.dead_letters]
    told("dead", "ls")
    told("dead", "drop", "--all", "--dry-run")
    told("dead", "retry", session.id, letters[0])
    told("dead", "edit", session.id, letters[1], "--item", "four")
    told("dead", "drop", "--all")
    assert entries_of_commands(stage) == [
        ("retry dead letters", f"session {session.id}", f"1: {letters[0]}"),
        ("edit dead letter", f"session {session.id}", letters[1]),
        ("drop dead letters", f"session {session.id}", f"1: {letters[2]}"),
    ]


def test_mail_pools_and_sessions(session: Session, stage: Stage, told: Told) -> None:
    """What was said and to whom, how many are wanted, what was removed; nothing that was refused."""
    far = session.new_branch(name="far", pool="p")
    mail = told("mail", "send", "mine", "far", "hello " * 100)["mail"]
    told("scale", "p", "3")
    told("scale", "p", "--forget")
    told("scale")
    assert main(["scale", "no pool", "3"]) == Code.USAGE
    with Session(exchange=stage.exchange) as other:
        gone = other.id
    told("session", "rm", gone, "--dry-run")
    told("session", "rm", gone)
    assert entries_of_commands(stage) == [
        ("send mail", f"branch {far.id}", f"session {session.id}, message {mail}: {('hello ' * 100)[:200]}"),
        ("scale pool", "pool p", "to 3"),
        ("scale pool", "pool p", "no number any more"),
        ("remove session", f"session {gone}", ""),
    ]
