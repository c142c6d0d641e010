"""Mail that waits is withdrawn on the command line: by pieces of ids, or all that waits for a branch."""

from __future__ import annotations

import pytest

from lion_broker import Session
from lion_broker.__main__ import main
from lion_broker.cli.exits import Code
from lion_broker.mail.verbs import Claim, ReadAudit, ReadReady, ReadWaiting
from lion_broker.mail.waiting import WaitsAt
from tests.integration.cli.conftest import Told

pytestmark = pytest.mark.redis


@pytest.fixture
def mails(session: Session) -> list[str]:
    """Three mails that wait for the branch `far`, which nobody serves."""
    far = session.new_branch(name="far", pool="p", behaviour="echo")
    for text in ("One.", "Two.", "Three."):
        session.default_branch.send(far, "message", text)
    session.flush()
    rows = session.exchange.call(ReadWaiting(session.id, far.id, WaitsAt.MAILBOX))
    return [row.mail.id for row in rows]  # type: ignore[union-attr]


def test_some_are_withdrawn(session: Session, mails: list[str], told: Told) -> None:
    """By the end of an id, wherever it is; with who, why and the dead letter that it has become."""
    one, two, three = mails
    (done,) = told("mail", "withdraw", one, f"…{two[-10:]}", one, "--reason", "Wrong customer.")
    letters = {letter.mail.id: letter for letter in session.dead_letters if letter.mail}
    assert done == {"session": session.id, "withdrawn": {mail: letters[mail].id for mail in (one, two)}, "left": {}}
    assert letters[one].detail.endswith(" (command line): Wrong customer.")
    assert [row["mail"] for row in told("dead", "ls", session.id, "--reason", "withdrawn")] == [one, two]
    assert [entry.what for entry in session.exchange.call(ReadAudit())] == ["withdraw mail"]
    assert told("mail", "show", three)["advice"][-1] == (
        f"To take it back: lion-broker mail withdraw {three} --session {session.id}"
    )
    assert told("dead", "retry", session.id, "--reason", "withdrawn")["sent"] == [letters[one].id, letters[two].id]
    assert session.counters()["inflight"] == 3


def test_all_that_waits_for_a_branch(session: Session, mails: list[str], told: Told) -> None:
    """A dry run says which and changes nothing; what a worker has in hand stays, and is told."""
    where = ("--session", session.id, "--branch", "far")
    far = session.get_branch("far")
    (ready,) = session.exchange.call(ReadReady("p", "worker", 10))
    session.exchange.call(Claim(session.id, far.id, "t1", ready.id, "p", "worker", batch=1))
    would = told("mail", "withdraw", *where, "--dry-run")["would"]
    assert [(row["mail"], row["held"], row["where"], row["text"]) for row in would] == [
        (mail, held, "mailbox", text)
        for mail, held, text in zip(mails, (True, False, False), ("One.", "Two.", "Three."), strict=True)
    ]
    assert session.dead_letters == []
    done = told("mail", "withdraw", *where, code=Code.ERROR)
    assert list(done["withdrawn"]) == mails[1:]
    assert "a worker has it in hand" in done["left"][mails[0]]
    assert told("mail", "withdraw", *where, "--category", "tool") == {
        "session": session.id, "withdrawn": {}, "left": {}
    }  # fmt: skip


def test_as_people_read_it(session: Session, mails: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """What would be done, what was, what stays and why, and what to do next."""
    assert main(["mail", "withdraw", mails[0], "--dry-run"]) == Code.OK
    assert capsys.readouterr().out.endswith("1 would be withdrawn.\n")
    assert main(["mail", "withdraw", mails[0]]) == Code.OK
    assert capsys.readouterr().out == (
        f"1 withdrawn.\nTo look at them, and send them again: lion-broker dead ls {session.id} --reason withdrawn\n"
    )
    assert main(["mail", "withdraw", mails[0], "--session", "mine"]) == Code.ERROR
    (letter,) = session.dead_letters
    assert capsys.readouterr().out == (
        f"0 withdrawn.\n{mails[0]} stays: it is a dead letter already (withdrawn):"
        f" `lion-broker dead show {session.id} {letter.id}`\n"
    )
    assert main(["mail", "withdraw", "--session", "mine", "--all"]) == Code.OK
    assert capsys.readouterr().out.startswith("2 withdrawn.\n")
    assert main(["mail", "withdraw", "--session", "mine", "--all", "--dry-run"]) == Code.OK
    assert capsys.readouterr().out == "No such mail waits.\n0 would be withdrawn.\n"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), Code.USAGE, "Name mails"),
        (("--all",), Code.USAGE, "Say in which session"),
        (("--branch", "far"), Code.USAGE, "Say in which session"),
        (("abc", "--all"), Code.USAGE, "not both"),
        (("abc",), Code.USAGE, "too short"),
        (("", "--session", "mine"), Code.USAGE, "too short"),
        (("0" * 400,), Code.NOT_FOUND, "There is no mail"),
        (("x'; DROP\n{}",), Code.NOT_FOUND, "There is no mail"),
        (("01a2", "--session", "nobody"), Code.NOT_FOUND, "There is no session nobody"),
        (("--session", "mine", "--branch", "nobody"), Code.NOT_FOUND, "nobody"),
        (("--session", "mine", "--category", "letters"), Code.USAGE, "no category 'letters'"),
    ],
    ids=str,
)
def test_what_cannot_be_done(
    session: Session, mails: list[str], capsys: pytest.CaptureFixture[str], words: tuple[str, ...], code: int, said: str
) -> None:
    """One sentence on stderr, the exit code of its kind, and nothing has changed."""
    assert main(["mail", "withdraw", *words]) == code
    assert said in capsys.readouterr().err
    assert session.dead_letters == []
    assert session.counters()["inflight"] == 3


def test_one_of_several_is_not_guessed(session: Session, mails: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A piece that begins all of them means none."""
    assert main(["mail", "withdraw", mails[0][:8], "--session", "mine"]) == Code.NOT_FOUND
    assert "3 mails of the session" in capsys.readouterr().err
    assert session.dead_letters == []
