"""Branches pause and go on from the command line: one, all of a session, all of a pool; and it is written down."""

import json

import pytest

from lion_broker import Session
from lion_broker.__main__ import main
from lion_broker.cli.exits import Code
from lion_broker.mail.verbs import ReadAudit
from tests.integration.cli.conftest import Told
from tests.stage import Stage

pytestmark = pytest.mark.redis


def test_a_branch_is_paused_and_resumed(session: Session, told: Told, capsys: pytest.CaptureFixture[str]) -> None:
    """By its name; the list says why it does nothing."""
    remote = session.new_branch(name="remote", pool="p")
    told("branch", "pause", session.id, "remote", "--reason", "a rest")
    (row,) = [row for row in told("branch", "ls", session.id) if row["name"] == "remote"]
    assert (row["paused"], row["retrying"], row["delayed"]) == ("a rest", 0, 0)
    assert told("branch", "resume", session.id[:13], remote.id) == {"branch": remote.id, "paused": "", "changed": True}
    assert main(["branch", "pause", session.id, session.default_branch.id]) == Code.USAGE
    assert "lives in a process" in capsys.readouterr().err


def test_a_whole_session_rests(session: Session, told: Told, capsys: pytest.CaptureFixture[str]) -> None:
    """All of its branches on workers at once, and nothing by accident."""
    remotes = [session.new_branch(name=name, pool="p") for name in ("first", "second")]
    assert told("branch", "pause", "mine", "--all", "--reason", "too dear") == [
        {"session": session.id, "branch": one.id, "paused": "too dear"} for one in remotes
    ]
    assert [row["paused"] for row in told("branch", "ls", "mine")] == ["", "too dear", "too dear"]
    assert main(["branch", "resume", "mine", "--all"]) == Code.OK
    assert capsys.readouterr().out == "Resumed 2 branches.\n"
    for words in (
        ["pause", "mine"],
        ["pause"],
        ["pause", "--all"],
        ["resume", "mine", "first", "--all"],
        ["resume", "mine", "first", "--pool", "p"],
        ["resume", "mine", "--all", "--pool", "p"],
    ):
        assert main(["branch", *words]) == Code.USAGE
        assert "one of the three" in capsys.readouterr().err


def test_a_pool_rests(session: Session, stage: Stage, told: Told, capsys: pytest.CaptureFixture[str]) -> None:
    """Its branches of all sessions and of no other pool; who was paused alone stays so, and is named."""
    first, alone = (session.new_branch(name=name, pool="p") for name in ("first", "alone"))
    elsewhere = session.new_branch(name="elsewhere", pool="q")
    session.pause(alone, "a rest")
    with Session(exchange=stage.exchange, delivery="auto") as other:
        second = other.new_branch(name="second", pool="p")
        assert main(["branch", "pause", "--pool", "p", "--reason", "no model"]) == Code.OK
        out = capsys.readouterr().out
        assert out.startswith(
            "Paused 2 branches.\n"
            "Those that are made for the pool later are paused, too, until: lion-broker branch resume --pool p\n"
            "1 branch stays as it was, paused for another reason:\n"
        )
        found = [one.record.paused for one in (first, second, alone, elsewhere)]
        assert found == ["pool p: no model", "pool p: no model", "a rest", ""]
        late = other.new_branch(name="late", pool="p")
        assert late.record.paused == "pool p: no model"
        assert main(["branch", "resume", "mine", "--pool", "p"]) == Code.OK
        assert f"branch resume {session.id} {alone.id}  # a rest" in capsys.readouterr().out
        assert [one.record.paused for one in (first, second)] == ["", "pool p: no model"]
        assert told("branch", "resume", "--pool", "p") == [
            {"session": other.id, "branch": second.id, "paused": ""},
            {"session": other.id, "branch": late.id, "paused": ""},
            {"session": session.id, "branch": alone.id, "paused": "a rest"},
        ]
        assert other.new_branch(pool="p").record.paused == ""
    assert main(["branch", "pause", "--pool", "typo"]) == Code.NOT_FOUND
    assert "No branch lives in the pool typo" in capsys.readouterr().err
    assert [pool["pool"] for pool in told("status")["pools"]] == ["p"]


def test_what_is_paused_is_told(session: Session, told: Told, capsys: pytest.CaptureFixture[str]) -> None:
    """By status and the doctor, with the command that resumes, also of a pool without workers and branches."""
    one, _ = (session.new_branch(name=name, pool="p") for name in ("one", "two"))
    assert (told("status")["paused"], told("status")["pools"]) == (0, [])
    session.pause(one, "a rest")
    assert main(["status"]) == Code.OK
    out = capsys.readouterr().out
    assert "3 branches (1 paused)" in out
    assert "1 branch of the pool p is paused: lion-broker branch resume --pool p" in out
    told("branch", "pause", "--pool", "p", "--reason", "no model")
    assert main(["status"]) == Code.OK
    out = capsys.readouterr().out
    assert "The pool p is paused (no model), with 2 branches: lion-broker branch resume --pool p" in out
    session.delete()
    status = told("status")
    assert (status["paused"], [(pool["pool"], pool["pause"]) for pool in status["pools"]]) == (0, [("p", "no model")])
    main(["doctor", "--json"])
    (found,) = [one for one in json.loads(capsys.readouterr().out) if one["check"] == "pools"]
    assert found["text"] == "The pool p is paused (no model), with 0 branches."
    assert found["fix"].startswith("lion-broker branch resume --pool p")
    told("branch", "resume", "--pool", "p")
    assert told("status")["pools"] == []


def test_it_is_written_down(session: Session, stage: Stage) -> None:
    """Who, what, on what and why; and nothing where nothing is changed."""
    remote = session.new_branch(name="remote", pool="p")
    for words in (
        ["pause", "mine", "remote", "--reason", "a rest"],
        ["resume", "mine", "remote"],
        ["pause", "mine", "--all"],
        ["pause", "--pool", "p"],
        ["resume", "mine", "--all"],
        ["pause", "mine", "--pool", "p"],
        ["pause", "--pool", "p"],
        ["resume", "mine", "remote"],
        ["resume", "--pool", "p"],
        ["resume", "--pool", "p"],
    ):
        assert main(["branch", *words]) == Code.OK
    entries = stage.exchange.call(ReadAudit())
    assert [(one.what, one.target, one.detail) for one in reversed(entries)] == [
        ("pause branch", f"branch {remote.id}", f"session {session.id}: a rest"),
        ("resume branch", f"branch {remote.id}", f"session {session.id}"),
        ("pause session", f"session {session.id}", "paused by hand"),
        ("pause pool", "pool p", "pool p: paused by hand"),
        ("resume session", f"session {session.id}", ""),
        ("pause pool", f"pool p of session {session.id}", "pool p: paused by hand"),
        ("resume branch", f"branch {remote.id}", f"session {session.id}"),
        ("resume pool", "pool p", ""),
    ]
    assert all("command line" in one.who for one in entries)
