"""The commands that look at an exchange: sessions, dead letters, the embedded server."""

import json

import pytest

from lion_broker import Session
from lion_broker.__main__ import main
from lion_broker.cli.exits import Code
from tests.integration.cli.conftest import Told
from tests.stage import Stage, short_folder

pytestmark = pytest.mark.redis


def test_a_session_is_listed_shown_and_removed(stage: Stage, told: Told) -> None:
    """`ls`, `show` and `rm` take the beginning of an id, and `rm` removes everything."""
    with Session(name="mine", exchange=stage.exchange) as session:
        session.new_branch(name="reader", pool="p", behaviour="read")
    (row,) = told("session", "ls")
    assert (row["id"], row["name"], row["branches"]) == (session.id, "mine", 2)
    shown = told("session", "show", session.id[:13])
    assert [(one["name"], one["pool"], one["behaviour"]) for one in shown["branches"]][1] == ("reader", "p", "read")
    assert told("session", "rm", session.id[:13]) == {"removed": [session.id]}
    assert told("session", "ls") == []
    assert stage.server.strays() == []


def test_for_people_there_are_columns(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """Without `--json` the same is text, with names above the columns and a next step where there is nothing."""
    assert main(["session", "ls"]) == Code.OK
    assert "There are no sessions" in capsys.readouterr().out
    with Session(name="mine", exchange=stage.exchange) as session:
        assert main(["session", "ls"]) == main(["session", "show", session.id]) == Code.OK
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ["ID", "NAME", "AGE"]
    assert lines[1].split()[:2] == [session.id, "mine"]
    assert "name:        mine" in lines


def test_an_unknown_session_is_exit_code_4(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """No session, and a text that several ids begin with, are both told apart from success."""
    assert main(["session", "show", "0000"]) == Code.NOT_FOUND
    assert "There is no session 0000" in capsys.readouterr().err
    assert main(["branch", "ls", "@"]) == Code.NOT_FOUND
    assert capsys.readouterr().err.endswith("; it has none yet.\n")
    sessions = [Session(exchange=stage.exchange) for _ in range(2)]
    assert main(["session", "rm", "0"]) == Code.NOT_FOUND
    assert "2 sessions are meant by 0" in capsys.readouterr().err
    for command in ("show", "rm"):
        assert main(["session", command, ""]) == Code.USAGE
        assert "An empty text names no session" in capsys.readouterr().err
    for session in sessions:
        session.close()


def test_dead_letters_are_listed_with_their_reasons(stage: Stage, told: Told) -> None:
    """Of one session or of all, each with where it was going and why it did not arrive."""
    with Session(exchange=stage.exchange) as session:
        gone = session.new_branch(name="gone")
        session.default_branch.send(gone, "message", "too late")
        session.collect_send_all()
        session.remove_branch(gone)
    (row,) = told("dead", "ls")
    assert (row["session"], row["branch"], row["category"], row["reason"]) == (session.id, gone.id, "message", "closed")
    assert told("dead", "ls", session.id[:13]) == [row]


def test_the_embedded_server_is_shown_and_stopped(own_stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """`status` starts nothing; `stop` ends the server, whoever uses it."""
    assert main(["server", "status", "--json"]) == Code.NO_SERVER
    assert json.loads(capsys.readouterr().out)["state"] == "absent"
    own_stage.exchange.revive()
    assert main(["server", "status", "--json"]) == Code.OK
    assert json.loads(capsys.readouterr().out)["state"] == "ready"
    assert main(["server", "stop"]) == Code.OK
    assert "that still use it start it again with their next call." in capsys.readouterr().out
    assert main(["server", "stop"]) == main(["server", "status"]) == Code.NO_SERVER
    assert "No server runs in" in capsys.readouterr().out


def test_the_server_that_a_url_names_is_the_one_that_is_meant(
    own_stage: Stage, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever works on another embedded server than the user's own is shown that one, and stops that one."""
    with short_folder() as folder:
        monkeypatch.setenv("LION_BROKER_URL", f"embedded://{folder}")
        assert main(["server", "status"]) == Code.NO_SERVER
        for words in (["server", "stop", "--json"], ["down", "--server", "--json"]):
            assert main(["init"]) == Code.OK
            assert main(["server", "status"]) == Code.OK
            assert str(folder) in capsys.readouterr().out
            assert main(words) == Code.OK
            told = json.loads(capsys.readouterr().out)
            assert told.get("server_stopped", told["stopped"])
            assert main(["server", "status"]) == Code.NO_SERVER
            capsys.readouterr()
