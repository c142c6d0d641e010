"""Dead letters on the command line: looked at, sent again, edited, dropped."""

import re
from io import StringIO
from pathlib import Path

import pytest

from lion_broker import Branch, Session
from lion_broker.__main__ import main
from lion_broker.cli.exits import Code
from lion_broker.mail.verbs import Promote
from lion_broker.testing import wait_until
from tests.integration.cli.conftest import Told

pytestmark = pytest.mark.redis


@pytest.fixture
def ben(session: Session) -> Branch:
    """A branch that has three dead letters: two tools that are not there, and a mail that came too late."""
    ben: Branch = session.new_branch(name="ben", tools=[len])
    for _ in range(2):
        session.default_branch.send(ben, "tool", _other_len)
        ben.receive_all()
        session.flush()
    return ben


def _other_len(value: str) -> int:
    """Count otherwise."""
    return 7


_other_len.__name__ = "len"


def test_they_are_listed_and_shown(session: Session, ben: Branch, told: Told) -> None:
    """With the reason, the error, and for one everything that is known of it."""
    rows = told("dead", "ls", session.id[:13])
    assert [(row["branch"], row["reason"], row["session"]) for row in rows] == [(ben.id, "not_applied", session.id)] * 2
    assert told("dead", "ls", "--reason", "expired") == []
    shown = told("dead", "show", session.id, rows[0]["id"])
    assert (shown["from"], shown["lineage"], shown["category"]) == (session.default_branch.id, [], "tool")


def test_they_are_sent_again(session: Session, ben: Branch, told: Told) -> None:
    """By id, and all that match; `--dry-run` says which and does nothing."""
    first, second = (row["id"] for row in told("dead", "ls"))
    would = told("dead", "retry", session.id, "--all", "--dry-run")
    assert would == {"session": session.id, "would": [first, second], "left": {}}
    assert told("dead", "retry", session.id, first)["sent"] == [first]
    assert told("dead", "retry", session.id, "--reason", "not_applied", "--branch", "ben")["sent"] == [second]
    assert told("dead", "ls") == []
    ben.delete_tools("len")
    ben.receive_all()
    assert ben.tools["len"].func_callable is _other_len


def test_a_group_is_sent_again_and_no_other(session: Session, ben: Branch, told: Told, tmp_path: Path) -> None:
    """Groups say how many and of what; a dry run changes nothing; another group stays."""
    cleo = session.new_branch(name="cleo")
    session.default_branch.send(cleo, "message", "late", ttl=0.001)
    sent = session.exchange.call(Promote()).now
    wait_until(lambda: session.exchange.call(Promote()).now > sent + 1)
    cleo.receive_all()
    session.flush()
    groups = told("dead", "ls", session.id, "--group")
    assert [(one["letters"], one["reason"], one["sessions"], one["session_ids"]) for one in groups] == [
        (2, "not_applied", 1, [session.id]),
        (1, "expired", 1, [session.id]),
    ]
    assert told("dead", "ls", "--group", "--reason", "expired") == groups[1:]
    which = ("--group", groups[0]["group"].upper())
    letters = [letter.id for letter in session.dead_letters if letter.reason == "not_applied"]
    assert told("dead", "retry", *which, "--dry-run") == [{"session": session.id, "would": letters, "left": {}}]
    assert told("dead", "retry", session.id, *which)["sent"] == letters
    assert told("dead", "ls", "--group") == groups[1:]
    assert told("dead", "drop", session.id, "--group", groups[1]["group"])["left"] == {}
    assert session.dead_letters == []


def test_groups_as_a_table(session: Session, ben: Branch, capsys: pytest.CaptureFixture[str]) -> None:
    """For people and for a spreadsheet; of none it says so."""
    assert main(["dead", "ls", "--group", "-o", "csv"]) == Code.OK
    head, row = capsys.readouterr().out.splitlines()
    assert head == "group,letters,reason,behaviour,error,example,first,last,sessions,session_ids"
    assert row.endswith(f",1,{session.id}")
    assert main(["dead", "ls", "--group", "--limit", "1"]) == Code.OK
    assert "not_applied" in capsys.readouterr().out
    assert main(["dead", "ls", "--group", "--branch", "ben"]) == Code.USAGE
    assert "leave --branch out" in capsys.readouterr().err
    session.drop_dead_letters()
    assert main(["dead", "ls", "--group"]) == Code.OK
    assert capsys.readouterr().out == "There are no dead letters.\n"


def test_what_stays_is_told(session: Session, ben: Branch, told: Told) -> None:
    """Exit code 1, and why."""
    first, second = (row["id"] for row in told("dead", "ls"))
    session.remove_branch(ben)
    done = told("dead", "retry", session.id, "--all", code=Code.ERROR)
    assert done["sent"] == []
    assert done["left"] == dict.fromkeys((first, second), "its branch was removed")


@pytest.mark.parametrize("way", ["text", "file", "stdin"])
def test_they_are_edited(
    session: Session, told: Told, way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What goes instead is a text, JSON, the content of a file, or what comes on stdin."""
    cleo = session.new_branch(name="cleo")
    session.default_branch.send(cleo, "signal", {"n": 1}, ttl=0.001)
    sent = session.exchange.call(Promote()).now
    wait_until(lambda: session.exchange.call(Promote()).now > sent + 1)
    cleo.receive_all()
    session.flush()
    (row,) = told("dead", "ls")
    assert row["reason"] == "expired"
    text = '{"n": 2}'
    tmp_path.joinpath("item").write_text(text)
    monkeypatch.setattr("sys.stdin", StringIO(text))
    item = {"text": text, "file": f"@{tmp_path / 'item'}", "stdin": "-"}[way]
    assert told("dead", "edit", session.id, row["id"], "--item", item)["sent"] == [row["id"]]
    assert told("dead", "ls") == []


def test_a_message_says_a_text(session: Session, told: Told, capsys: pytest.CaptureFixture[str]) -> None:
    """Also one that looks like a number; what it cannot say is a sentence, and the letter stays."""
    dan = session.new_branch(name="dan")
    session.default_branch.send(dan, "message", "late", ttl=0.001)
    sent = session.exchange.call(Promote()).now
    wait_until(lambda: session.exchange.call(Promote()).now > sent + 1)
    dan.receive_all()
    session.flush()
    (row,) = told("dead", "ls")
    assert main(["dead", "edit", session.id, row["id"], "--item", ""]) == Code.USAGE
    assert "not an empty text" in capsys.readouterr().err
    told("dead", "edit", session.id, row["id"], "--item", "42")
    assert told("dead", "ls") == []


def test_they_are_dropped(session: Session, ben: Branch, told: Told) -> None:
    """For good."""
    first, second = (row["id"] for row in told("dead", "ls"))
    assert told("dead", "drop", session.id, first, first)["dropped"] == [first]
    assert told("dead", "drop", session.id, "--all")["dropped"] == [second]
    assert (told("dead", "ls"), session.counters()["dead"]) == ([], 0)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("retry",), Code.USAGE, "--reason, --error, --branch, --group or --all"),
        (("drop",), Code.USAGE, "--reason, --error, --branch, --group or --all"),
        (("retry", "1-1", "--all"), Code.USAGE, "not both"),
        (("retry", "1-1"), Code.NOT_FOUND, "no dead letter 1-1"),
        (("show", ""), Code.USAGE, "An empty text names no dead letter"),
        (("show", "1-1"), Code.NOT_FOUND, "no dead letter 1-1"),
        (("edit", "1-1", "--item", "x"), Code.NOT_FOUND, "no dead letter 1-1"),
        (("edit", "1-1", "--item", "@/no/such/file"), Code.USAGE, "cannot be read"),
        (("retry", "--group", "0123456789"), Code.NOT_FOUND, "no group 0123456789"),
        (("drop", "--group", "'; DROP"), Code.NOT_FOUND, "no group '; DROP"),
        (("retry", "1-1", "--group", "0123456789"), Code.USAGE, "not both"),
        (("retry", "--branch", "nobody"), Code.NOT_FOUND, "nobody"),
        (("ls", "--reason", "nope"), Code.USAGE, "There is no reason 'nope'; there are bad_signature, "),
        (("ls", "--group", "--reason", "nope"), Code.USAGE, "unknown_tool, withdrawn. --error TEXT chooses"),
        (("retry", "--reason", "TimeoutError"), Code.USAGE, "--error TEXT chooses by what was said."),
        (("drop", "--reason", ""), Code.USAGE, "There is no reason ''"),
    ],
    ids=str,
)
def test_what_cannot_be_done(
    session: Session, ben: Branch, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], code: int, said: str
) -> None:
    """One sentence on stderr, the exit code of its kind, and nothing has changed."""
    command, *rest = words
    assert main(["dead", command, session.id, *rest]) == code
    assert said in capsys.readouterr().err
    assert len(session.dead_letters) == 2


def test_for_people(session: Session, ben: Branch, capsys: pytest.CaptureFixture[str]) -> None:
    """Columns, and a sentence about what was done."""
    assert main(["dead", "retry", session.id, "--all", "--dry-run"]) == Code.OK
    assert "2 would be sent again." in capsys.readouterr().out
    letter = session.dead_letters[0].id
    assert main(["dead", "show", session.id, letter]) == Code.OK
    shown = capsys.readouterr().out
    assert "No other mail led to it." in shown
    assert re.search(r"^reason: +not_applied: The item does not fit the branch", shown, re.MULTILINE)
    assert re.search(r"^died: +\d{4}-\d\d-\d\dT[^ ]+ \([^)]+ ago\)$", shown, re.MULTILINE)
    assert f"lion-broker dead drop {session.id} {letter}" in shown
    assert main(["dead", "drop", session.id, letter]) == Code.OK
    assert "1 dropped." in capsys.readouterr().out


def test_what_is_paused_already_or_not_paused_is_said(
    session: Session, told: Told, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing has changed then, and it is no error: the reason that was given first stays."""
    first, second = (session.new_branch(name=name, pool="p") for name in ("first", "second"))
    assert session.pause(first, "for lunch") is True
    assert main(["branch", "pause", "mine", "first", "--reason", "too dear"]) == Code.OK
    assert capsys.readouterr().out == "first was paused already (for lunch).\n"
    assert told("branch", "pause", "mine", "first") == {"branch": first.id, "paused": "for lunch", "changed": False}
    assert session.resume(first) is True
    assert session.resume(first) is False
    assert main(["branch", "resume", "mine", "first"]) == Code.OK
    assert capsys.readouterr().out == "first was not paused.\n"
    assert told("branch", "resume", "mine", "second") == {"branch": second.id, "paused": "", "changed": False}
