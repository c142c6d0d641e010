"""What a worker is at is stopped on the command line: by pieces of ids, or what a branch is at."""

from __future__ import annotations

import json
import re

import pytest

from lion_broker import Session
from lion_broker.__main__ import main
from lion_broker.cli.exits import Code
from lion_broker.mail.verbs import Claim, ReadAudit, ReadReady, ReadWaiting, Renew, Station
from lion_broker.mail.waiting import WaitsAt
from tests.integration.cli.conftest import Told

pytestmark = pytest.mark.redis


@pytest.fixture
def mails(session: Session) -> list[str]:
    """Three mails for the branch `far`: a worker has the first two in hand, and is at the second."""
    far = session.new_branch(name="far", pool="p", behaviour="echo")
    for text in ("One.", "Two.", "Three."):
        session.default_branch.send(far, "message", text)
    session.flush()
    rows = session.exchange.call(ReadWaiting(session.id, far.id, WaitsAt.MAILBOX))
    found: list[str] = [row.mail.id for row in rows]  # type: ignore[union-attr]
    (ready,) = session.exchange.call(ReadReady("p", "worker", 10))
    session.exchange.call(Claim(session.id, far.id, "t1", ready.id, "p", "worker", 60_000, batch=2))
    session.exchange.call(Renew((Station(session.id, far.id, "t1"),), 60_000, (found[1],)))
    return found


def test_what_a_branch_is_at(session: Session, mails: list[str], told: Told) -> None:
    """A dry run says which and changes nothing; then it is a dead letter, with who and why."""
    where = ("--session", "mine", "--branch", "far")
    shown = told("branch", "show", "mine", "far")
    assert (shown["handling"], shown["handling_since"] is None) == (mails[1], False)
    would = told("mail", "stop", *where, "--dry-run")["would"]
    assert [(row["mail"], row["held"], row["text"]) for row in would] == [(mails[1], True, "Two.")]
    assert session.dead_letters == []
    done = told("mail", "stop", *where, "--reason", "Wrong customer.")
    (letter,) = session.dead_letters
    assert done == {"session": session.id, "stopped": {mails[1]: letter.id}, "left": {}}
    assert letter.detail.endswith(" (command line): Wrong customer.")
    assert [entry.what for entry in session.exchange.call(ReadAudit())] == ["stop mail"]
    assert told("mail", "stop", *where) == {"session": session.id, "stopped": {}, "left": {}}
    assert told("branch", "show", "mine", "far")["handling"] is None


def test_by_the_end_of_an_id(session: Session, mails: list[str], told: Told) -> None:
    """In hand or waiting, wherever it is; and `mail show` says how."""
    advice = told("mail", "show", mails[1])["advice"]
    assert f"To stop it: lion-broker mail stop {mails[1]} --session {session.id}" in advice
    (done,) = told("mail", "stop", f"…{mails[1][-10:]}", mails[2])
    assert list(done["stopped"]) == mails[1:]
    assert [letter.reason for letter in session.dead_letters] == ["stopped", "withdrawn"]


def test_since_when_a_worker_is_at_a_mail(
    session: Session, mails: list[str], told: Told, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is the mail that takes longest of all, and says how long; of the one before in its turn nobody knows."""
    capsys.readouterr()
    assert main(["mail", "ls", "mine", "--sort", "took", "--json"]) == Code.OK
    rows = {row["mail"]: row for row in json.loads(capsys.readouterr().out)}
    assert next(iter(rows)) == mails[1]
    assert rows[mails[1]]["took_seconds"] >= 0
    assert [rows[mail]["took_seconds"] for mail in (mails[0], mails[2])] == [None, None]
    assert main(["mail", "ls", "mine", "--state", "working", "--worker", "work", "--json"]) == Code.OK
    assert {row["mail"] for row in json.loads(capsys.readouterr().out)} == set(mails[:2])
    assert main(["mail", "ls", "mine", "--worker", "another", "--json"]) == Code.OK
    assert json.loads(capsys.readouterr().out) == []
    shown = told("mail", "show", mails[1])
    assert [(one["kind"], one["name"]) for one in shown["spans"]] == [("queued", ""), ("work", "attempt 1")]
    assert shown["spans"][1]["began"] == shown["passage"]["since"]
    assert shown["passage"]["since"] == session.get_branch("far").record.at_since / 1000
    assert re.match(r"worker works on it now, for \d+ s\.", shown["advice"][0])
    assert f"was at the mail {mails[1]} a moment ago" in told("mail", "show", mails[0])["advice"][0]
    assert main(["mail", "show", mails[1]]) == Code.OK
    assert re.search(r"^state: +working, attempt \d, for \S+ now$", capsys.readouterr().out, re.MULTILINE)
    assert main(["branch", "ls", "mine"]) == Code.OK
    assert "AT IT" in capsys.readouterr().out.splitlines()[0]


def test_as_people_read_it(session: Session, mails: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """What would be done, what was, what cannot be and why."""
    where = ["--session", "mine", "--branch", "far"]
    assert main(["mail", "stop", mails[0], mails[2], "--dry-run"]) == Code.OK
    assert capsys.readouterr().out.endswith("1 would be stopped, 1 that wait withdrawn.\n")
    assert main(["mail", "stop", *where]) == Code.OK
    assert capsys.readouterr().out == (
        f"1 stopped.\nTo look at them, and send them again: lion-broker dead ls {session.id}\n"
    )
    assert main(["mail", "stop", mails[1], "--session", "mine"]) == Code.ERROR
    assert "it is a dead letter already (stopped)" in capsys.readouterr().out
    assert main(["mail", "stop", *where, "--dry-run"]) == Code.OK
    assert capsys.readouterr().out == "Nothing is at work there.\n0 would be stopped.\n"
    assert main(["mail", "withdraw", "--session", "mine", "--all"]) == Code.OK
    assert capsys.readouterr().out.startswith("2 withdrawn.\n")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), Code.USAGE, "Name mails"),
        (("--branch", "far"), Code.USAGE, "Say in which session"),
        (("abc", "--branch", "far"), Code.USAGE, "not both"),
        (("abc",), Code.USAGE, "too short"),
        (("0" * 400,), Code.NOT_FOUND, "There is no mail"),
        (("--session", "mine", "--branch", "nobody"), Code.NOT_FOUND, "nobody"),
        (("--session", "nobody", "--branch", "far"), Code.NOT_FOUND, "There is no session nobody"),
    ],
    ids=str,
)
def test_what_cannot_be_done(
    session: Session, mails: list[str], capsys: pytest.CaptureFixture[str], words: tuple[str, ...], code: int, said: str
) -> None:
    """One sentence on stderr, the exit code of its kind, and nothing has changed."""
    assert main(["mail", "stop", *words]) == code
    assert said in capsys.readouterr().err
    assert session.dead_letters == []
