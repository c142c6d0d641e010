"""`tail` and `session trace`: what happens, and what has happened, on a terminal and for programs."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from lion_broker import Branch, Mail, Registry, Session, Worker
from lion_broker.__main__ import main
from lion_broker.cli.exits import Code
from lion_broker.testing import wait_until
from tests.stage import ROOT, Program, Stage

pytestmark = pytest.mark.redis


@pytest.fixture
def session(stage: Stage) -> Iterator[Session]:
    """A session with automatic delivery and a branch."""
    with Session(exchange=stage.exchange, delivery="auto", name="mine") as session:
        session.new_branch(name="ada")
        yield session


def say(session: Session, *texts: str) -> None:
    """Send and apply mail."""
    ada = session.branches["ada"]
    with session.batch():
        for text in texts:
            session.default_branch.send(ada, "message", text)
    ada.receive_all()
    session.flush()


def lines(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, Any]]:
    """What a command prints with `--json`, line by line."""
    assert main([*words, "--json"]) == Code.OK
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_tail_to_the_end(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    """Everything that is kept, by branch and category; with names for people and ids for programs."""
    say(session, "one", "two")
    session.default_branch.send(session.branches["ada"], "signal", 1)
    found = lines(capsys, "tail", session.id[:13], "--until-idle")
    assert [one["kind"] for one in found] == ["created"] * 2 + ["sent"] * 2 + ["applied"] * 2 + ["sent"]
    assert {one["session"] for one in found} == {session.id}
    assert (found[4]["recipient_name"], found[4]["text"]) == ("ada", "one")
    assert len(lines(capsys, "tail", session.id, "--until-idle", "--category", "signal")) == 1
    ours = lines(capsys, "tail", session.id, "--until-idle", "--branch", "ada")
    assert ours == found[1:]
    assert main(["tail", session.id, "--until-idle", "--branch", "adda"]) == Code.OK
    assert "The session has no branch named 'adda'; it has ada, (default)." in capsys.readouterr().err
    assert lines(capsys, "tail", session.id, "--until-idle", "--since", found[-2]["id"])[0] == found[-1]
    assert lines(capsys, "tail", "--until-idle", "--since", "5m") == found
    assert lines(capsys, "tail", "--until-idle", "--since", "2100-01-01T00:00") == []
    assert main(["tail", session.id, "--until-idle"]) == Code.OK
    assert "ada  message: one" in capsys.readouterr().out


@pytest.mark.parametrize("which", [["mine"], []])
def test_who_waits_for_an_end_is_told_what_for(session: Session, stage: Stage, which: list[str]) -> None:
    """Once: mail waits for a pool that nobody serves; when it is gone the tail ends."""
    far = session.new_branch(name="far", pool="nobody")
    session.default_branch.send(far, "message", "hello")
    session.flush()
    tail = stage.start("-m", "lion_broker", "tail", *which, "--until-idle")
    wait_until(lambda: "Nothing happens, and 1 mail on the way: this ends" in tail.errors)
    session.remove_branch(far, delete=True)
    assert tail.process.wait(60) == Code.OK
    assert tail.errors.count("Nothing happens") == 1


def test_it_goes_on_in_all_sessions(
    session: Session, stage: Stage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By a file: with what has come since in each, with sessions that have come since, and without any doubles."""
    state = str(tmp_path / "tail.json")
    words = ("tail", "--until-idle", "--state", state)
    with Session(exchange=stage.exchange, delivery="auto") as other:
        other.new_branch(name="ada")
        say(session, "one")
        say(other, "two")
        say(session, "three")
        found = lines(capsys, *words)
        assert sorted(one["text"] for one in found if one["kind"] == "applied") == ["one", "three", "two"]
        assert lines(capsys, *words) == []
        say(other, "four")
        say(session, "five")
        with Session(exchange=stage.exchange, delivery="auto") as third:
            third.new_branch(name="ada")
            say(third, "six")
            more = lines(capsys, *words)
        assert sorted(one["text"] for one in more if one["kind"] == "applied") == ["five", "four", "six"]
        assert len({(one["session"], one["id"]) for one in (*found, *more)}) == len(found) + len(more)
        # One of them alone, and then all again: each keeps its place.
        say(other, "seven")
        alone = lines(capsys, "tail", session.id, "--until-idle", "--state", state)
        assert alone == []
        last = lines(capsys, *words)
        assert [one["text"] for one in last if one["kind"] == "applied"] == ["seven"]
    (tmp_path / "tail.json").write_text("no positions")
    assert main(list(words)) == Code.USAGE
    assert "is no file of a tail" in capsys.readouterr().err
    assert main(["tail", "--until-idle", "--state", str(tmp_path / "nowhere" / "tail.json")]) == Code.USAGE
    assert "cannot be written" in capsys.readouterr().err


@pytest.mark.processes
def test_a_tail_that_ends_goes_on_in_all_sessions(session: Session, stage: Stage, tmp_path: Path) -> None:
    """SIGTERM comes at any moment; nothing is lost, and no more than the line that it came at is there twice."""
    say(session, *(f"{number}" for number in range(50)))
    words = ("-m", "lion_broker", "tail", "--json", "--category", "message", "--state", str(tmp_path / "tail.json"))
    first = stage.start(*words, "--since", "1h")
    seen = [first.told() for _ in range(7)]
    first.process.send_signal(signal.SIGTERM)
    assert first.process.stdout is not None
    seen += [json.loads(line) for line in first.process.stdout]
    assert first.wait() == 0
    second = stage.start(*words)
    say(session, "the last")
    while seen[-1]["text"] != "the last":
        seen.append(second.told())
    assert second.stop() == 0
    ids = [one["id"] for one in seen]
    assert len(set(ids)) == 102
    assert len(ids) <= 103


@pytest.mark.processes
def test_another_process_goes_on(session: Session, stage: Stage) -> None:
    """A tail that is killed in the middle of a turn's mails is gone on with, without loss and without doubles."""
    say(session, *(f"{number}" for number in range(20)))
    words = ("-m", "lion_broker", "tail", session.id, "--json", "--category", "message", "--since")
    first = stage.start(*words, "1h")
    seen = [first.told() for _ in range(25)]
    first.kill()
    second = stage.start(*words, seen[-1]["id"])
    say(session, "the last")
    seen += [second.told() for _ in range(17)]
    assert [one["text"] for one in seen if one["kind"] == "applied"] == [*(f"{n}" for n in range(20)), "the last"]
    assert len({one["id"] for one in seen}) == len(seen) == 42
    _end(second)


@pytest.mark.processes
@pytest.mark.parametrize("mails", [1, 500])
def test_nobody_reads_any_more(session: Session, stage: Stage, mails: int) -> None:
    """What `head` has left ends without an error, also where nothing happens that could be written."""
    say(session, *(["x" * 200] * mails))
    words = [sys.executable, "-m", "lion_broker", "tail", session.id, "--since", "1h"]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, env=stage.environ, stdout=pipe, stderr=pipe, cwd=ROOT) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        assert b"created" in program.stdout.readline()
        program.stdout.close()
        assert program.wait(60) == Code.OK
        assert program.stderr.read() == b""


@pytest.mark.processes
def test_all_sessions_new_ones_too(session: Session, stage: Stage) -> None:
    """Without a session, those that come later are told from their beginning on; Ctrl-C ends it with 0."""
    watcher = stage.start("-m", "lion_broker", "tail", "--json", "--since", "1h")
    assert watcher.told()["session"] == session.id
    with Session(exchange=stage.exchange, name="other") as other:
        while (told := watcher.told())["session"] == session.id:
            pass
        assert (told["session"], told["kind"]) == (other.id, "created")
    _end(watcher)


def _end(program: Program) -> None:
    program.process.send_signal(signal.SIGINT)
    assert program.wait() == 0
    assert program.errors == ""


def test_what_is_hostile_does_not_steer_the_terminal(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither in a tail nor in a trace; what it was can still be read."""
    say(session, "\x1b[2J\x1b]0;title\x07 [red]gone[/red]\nnext")
    (mail,) = session.mails_df().mail
    for words in (
        ("tail", session.id, "--until-idle"),
        ("session", "trace", session.id),
        ("session", "trace", session.id, mail),
    ):
        assert main(list(words)) == Code.OK
        out = capsys.readouterr().out
        assert "\x1b" not in out
        assert "\x07" not in out
        assert "[red]gone" in out


def test_a_trace_for_people_and_for_programs(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    """The latest mails with their ids, and one of them, by the beginning of its id."""
    say(session, "one", "two")
    assert main(["session", "trace", session.id, "--json"]) == Code.OK
    first, last = json.loads(capsys.readouterr().out)
    assert (last["to"], last["state"], last["text"]) == ("ada", "applied", "two")
    (found,) = lines(capsys, "session", "trace", session.id, first["mail"])
    assert (found["passage"]["text"], found["passage"]["state"]) == ("one", "applied")
    assert main(["session", "trace", session.id, "--count", "1"]) == Code.OK
    told = capsys.readouterr()
    assert "MAIL" in told.out
    assert "… and older ones: --count 2" in told.err
    assert main(["session", "trace", session.id, found["passage"]["mail"]]) == Code.OK
    out = capsys.readouterr().out
    assert "→ ada " in out
    assert "message: one" in out
    assert "applied" in out


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("tail", "0000", "--until-idle"), Code.NOT_FOUND, "There is no session 0000"),
        (("tail", "", "--until-idle"), Code.USAGE, "names no session"),
        (("tail", "--since", "yesterday", "--until-idle"), Code.USAGE, "no beginning of a tail"),
        (("tail", "--since", "1-0.x", "--until-idle"), Code.USAGE, "goes on after an id"),
        (("session", "trace", "0000"), Code.NOT_FOUND, "There is no session 0000"),
    ],
)
def test_wrong_words(
    session: Session, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], code: Code, text: str
) -> None:
    """Each is one sentence and an exit code."""
    assert main(list(words)) == code
    assert text in capsys.readouterr().err


def test_a_mail_that_is_not_there(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    """It says how to find those that are."""
    assert main(["session", "trace", session.id, "ffff"]) == Code.NOT_FOUND
    assert "lists the latest" in capsys.readouterr().err
    assert main(["session", "trace", session.id, " "]) == Code.USAGE
    assert main(["session", "trace", session.id]) == Code.OK
    assert "There is no mail in this session." in capsys.readouterr().out


async def _serve(session: Session) -> None:
    """Let a worker do everything that can be done, and fail at it."""
    registry = Registry()

    @registry.behaviour("cross", attempts=2, backoff=0.0)
    async def cross(branch: Branch, mail: Mail) -> None:
        """Say why, at length, with what nobody is to see."""
        raise LookupError(f"no table\nfor \x1b[31mredis://u:hidden@host, key sk-hidden-1234567890123456 {'x' * 500}")

    async with Worker(registry, exchange=session.exchange, pool="p") as worker:
        await worker.run(until_idle=True)


def test_an_error_says_why(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    """In a line, short, without what looks like a credential, and without what would steer a terminal."""
    far = session.new_branch(name="far", pool="p", behaviour="cross")
    session.default_branch.send(far, "message", "look it up")
    anyio.run(_serve, session)
    told = lines(capsys, "tail", session.id, "--until-idle")
    failed = [one for one in told if one["kind"] in ("failed", "dead")]
    assert lines(capsys, "tail", session.id, "--until-idle", "--kind", "dead", "--kind", "failed") == failed
    assert main(["tail", session.id, "--kind", "odd", "--json"]) == Code.USAGE
    assert json.loads(capsys.readouterr().out)["error"] == "UsageError"
    assert sorted(one["detail"][:23] for one in failed) == [
        "LookupError: no table f",
        *["no table for \\x1b[31mre"] * 2,
    ]
    assert all(len(one["detail"]) == 200 for one in failed)
    assert main(["tail", session.id, "--until-idle"]) == Code.OK
    said = capsys.readouterr().out
    assert main(["dead", "ls", session.id]) == Code.OK
    assert main(["mail", "show", failed[0]["mail"]]) == Code.OK
    shown = capsys.readouterr().out
    assert "hidden" not in said + shown
    assert "way:       (default) → far, message" in shown
    assert "far  attempt 1: LookupError: no table for \\x1b[31mredis://***@host" in said
    assert "(default) → far  message: failed: LookupError: no table" in said
    assert max(map(len, said.splitlines())) < 250
