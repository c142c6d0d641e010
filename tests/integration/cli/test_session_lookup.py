"""What a person may call a session, and mail and dead letters that are found without one."""

from __future__ import annotations

import json
import os
import signal

import pytest

from lion_broker import Session, iModel
from lion_broker.__main__ import main
from lion_broker.cli.exits import Code
from lion_broker.mail.verbs import Promote
from lion_broker.testing import wait_until
from tests.integration.cli.conftest import Told
from tests.stage import Stage

pytestmark = pytest.mark.redis


def expired(session: Session, *names: str) -> list[str]:
    """Let mail to branches of these names die, one each; returns the ids of the mails."""
    for name in names:
        session.default_branch.send(session.new_branch(name=name), "signal", {"n": name}, ttl=0.001)
    sent = session.exchange.call(Promote()).now
    wait_until(lambda: session.exchange.call(Promote()).now > sent + 1)
    for name in names:
        session.branches[name].receive_all()
    session.flush()
    return [letter.mail.id for letter in session.dead_letters if letter.mail]


def test_a_session_goes_by_many_names(stage: Stage, told: Told) -> None:
    """Its id, either end of it, its name, and `@` for the newest one."""
    with Session(name="trip", exchange=stage.exchange) as trip, Session(name="other", exchange=stage.exchange) as other:
        for text in (trip.id, trip.id.upper(), trip.id[-8:], f"…{trip.id[-8:]}", "trip"):
            assert told("session", "show", text)["id"] == trip.id
        assert told("session", "show", "@")["id"] == other.id
        assert told("branch", "ls", "trip")[0]["default"] is True


def test_a_name_of_several_is_nobodys(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """The error says which they are, so that the next attempt can be the right one."""
    sessions = [Session(name="twin", exchange=stage.exchange) for _ in range(7)]
    assert main(["session", "rm", "twin"]) == Code.NOT_FOUND
    said = capsys.readouterr().err
    assert said.startswith("Error: 7 sessions are meant by twin: ")
    assert [one.id in said for one in sessions] == [False] * 2 + [True] * 5
    assert "and 2 older ones" in said
    for session in sessions:
        session.close()


def test_sessions_are_chosen_and_sorted(stage: Stage, told: Told, capsys: pytest.CaptureFixture[str]) -> None:
    """By name, age and what they have; so many of them; in any form."""
    sessions = [Session(name=name, exchange=stage.exchange, delivery="auto") for name in ("one", "two", "three")]
    expired(sessions[1], "ada", "ben")
    sessions[2].default_branch.send(sessions[2].new_branch(name="ada", pool="nobody"), "message", "hello")

    def names(*words: str) -> list[str]:
        return [row["name"] for row in told("session", "ls", *words)]

    assert names() == ["one", "two", "three"]
    assert names("--limit", "2") == ["two", "three"]
    assert names("--name", "O") == ["one", "two"]
    assert names("--having", "dead") == ["two"]
    assert names("--having", "waiting") == ["three"]
    assert names("--having", "nothing") == ["one"]
    assert names("--older-than", "1h") == names("--newer-than", "0s") == []
    assert names("--sort", "dead", "--limit", "1") == ["two"]
    assert names("--sort", "name") == ["one", "three", "two"]
    assert main(["session", "ls", "-o", "jsonl", "-n", "1"]) == Code.OK
    assert json.loads(capsys.readouterr().out)["name"] == "three"
    assert main(["session", "ls", "-n", "1"]) == Code.OK
    assert capsys.readouterr().err == "2 more: --limit N, or -o csv for all.\n"
    assert main(["session", "ls", "--name", "nobody"]) == Code.OK
    assert capsys.readouterr().out == "No session matches.\n"
    for session in sessions:
        session.close()


def test_a_mail_is_shown_without_its_session(session: Session, told: Told, capsys: pytest.CaptureFixture[str]) -> None:
    """From where it stands to what to do about it: why it is dead, who has to serve, that its branch is paused."""
    (dead,) = expired(session, "ada")
    shown = told("mail", "show", dead[-8:])
    assert (shown["session"], shown["passage"]["mail"], shown["passage"]["state"]) == (session.id, dead, "dead")
    assert shown["advice"][0].startswith(f"A dead letter: lion-broker dead show {session.id} ")
    clerk = session.new_branch(name="clerk", pool="nobody", behaviour="any")
    session.default_branch.send(clerk, "message", "anybody there?")
    (row,) = told("mail", "ls", "mine", "--state", "waiting")
    assert (row["to"], row["text"], row["session"]) == ("clerk", "anybody there?", session.id)
    assert main(["mail", "show", row["mail"]]) == Code.OK
    said = capsys.readouterr().out
    assert "state:     waiting" in said
    assert "Nobody serves the pool nobody of clerk: lion-broker worker --app MODULE:NAME --pool nobody" in said
    session.pause(clerk, "for lunch")
    assert "clerk is paused (for lunch)" in told("mail", "show", row["mail"])["advice"][0]


def test_a_copy_has_the_same_mail(session: Session, told: Told, capsys: pytest.CaptureFixture[str]) -> None:
    """Then the sessions are named, and one has to say which."""
    ada = session.new_branch(name="ada")
    session.default_branch.send(ada, "message", "hello")
    ada.receive_all()
    session.flush()
    (row,) = told("mail", "ls", "mine")
    assert row["session"] == session.id
    copy = told("session", "fork", "mine", "--name", "copy")["session"]
    assert main(["mail", "show", row["mail"]]) == Code.NOT_FOUND
    said = capsys.readouterr().err
    assert session.id in said
    assert copy in said
    assert "--session" in said
    assert told("mail", "show", row["mail"], "--session", "copy")["session"] == copy
    Session.open(copy, exchange=session.exchange).delete()


def test_mail_is_chosen(session: Session, told: Told) -> None:
    """By state, branch, category, words, reason and age; of all sessions."""
    expired(session, "ada", "ben")
    for text in ("first", "second"):
        session.default_branch.send(session.branches["ben"], "message", text)

    def texts(*words: str) -> list[str]:
        return [row["text"] or row["to"] for row in told("mail", "ls", *words)]

    assert texts("--text", "FIR") == ["first"]
    assert texts("--category", "message", "-n", "1") == ["second"]
    assert len(texts("--state", "open")) == len(texts()) == 4
    assert len(texts("--state", "dead", "--state", "waiting", "--branch", "ben")) == 3
    assert len(texts("--reason", "expired")) == 2
    assert texts("--older-than", "1h") == texts("--newer-than", "0s") == texts("--state", "applied") == []
    assert len(texts("--sort", "tries")) == len(texts("--sort", "took")) == 4


def test_mail_is_found_by_who_has_sent_it(session: Session, told: Told) -> None:
    """By name, id, or what tables call a branch that has no name; a way that nothing went finds nothing."""
    ada, ben = session.new_branch(name="ada"), session.new_branch(name="ben")
    session.default_branch.send(ben, "message", "from the session's own")
    ada.send(ben, "message", "from ada")
    ben.send(ada, "message", "from ben")
    session.flush()

    def texts(*words: str) -> list[str]:
        return [row["text"] for row in told("mail", "ls", *words)]

    assert texts("--from", "ada") == texts("--from", str(ada.id), "--to", "ben") == ["from ada"]
    assert texts("--to", "ada") == ["from ben"]
    assert texts("--from", "(default)") == texts("--branch", "(default)") == ["from the session's own"]
    assert texts("--from", "ada", "--to", "ada") == texts("--from", "nobody") == []


def weather(city: str) -> str:
    """Say what the sky looks like over a city."""
    return f"clear over {city}"


def test_what_was_shared_is_named_once_it_is_there(session: Session, told: Told) -> None:
    """A tool or a model that has come by mail is no message that says something, but it has a name."""
    ada, ben = session.new_branch(name="ada"), session.new_branch(name="ben")
    ada.send(ben, "tool", weather)
    ada.send(ben, "imodel", iModel(model="offline/extractive"))
    ada.send(ben, "message", "Is it fine?")
    ben.receive_all()
    session.flush()
    rows = told("mail", "ls", "--state", "applied")
    assert [(row["category"], row["text"]) for row in rows] == [
        ("tool", "weather"),
        ("imodel", "extractive"),
        ("message", "Is it fine?"),
    ]
    assert told("mail", "ls", "--text", "weather")[0]["category"] == "tool"


def test_mail_that_is_not_shown_is_told_of(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever sees the newest knows that there are more, and whoever sees all that there are is told nothing."""
    ben = session.new_branch(name="ben")
    for number in range(3):
        session.default_branch.send(ben, "message", f"number {number}")
    session.flush()
    for words in (["-n", "2"], ["-n", "2", "--sort", "tries"], ["-n", "2", "--json"]):
        assert main(["mail", "ls", session.id, *words]) == Code.OK
        assert "More than 2 fit: --limit N shows them." in capsys.readouterr().err
    assert main(["mail", "ls", session.id, "-n", "3"]) == Code.OK
    assert "fit" not in capsys.readouterr().err


def test_a_letter_names_its_sender(session: Session, told: Told, capsys: pytest.CaptureFixture[str]) -> None:
    """And when it was sent, for whoever looks why it came too late."""
    expired(session, "ada")
    (row,) = told("dead", "ls")
    capsys.readouterr()
    assert main(["dead", "show", row["id"]]) == Code.OK
    out = capsys.readouterr().out
    assert "from name:    (default)" in out
    assert "sent:  " in out


def test_letters_of_all_sessions(stage: Stage, told: Told) -> None:
    """Named without their session, by their own id or their mail's; chosen by error; retried everywhere at once."""
    with (
        Session(name="one", exchange=stage.exchange, delivery="auto") as one,
        Session(name="two", exchange=stage.exchange, delivery="auto") as two,
    ):
        (first,), (second,) = expired(one, "ada"), expired(two, "ben")
        rows = told("dead", "ls")
        assert [(row["session_name"], row["branch_name"], row["mail"]) for row in rows] == [
            ("one", "ada", first),
            ("two", "ben", second),
        ]
        assert told("dead", "show", rows[1]["id"])["session"] == two.id
        assert told("dead", "show", second[-8:])["id"] == told("dead", "show", "two", second)["id"] == rows[1]["id"]
        assert told("dead", "ls", "--error", "no such words") == []
        assert told("dead", "ls", "--branch", "ben") == [rows[1]]
        assert told("dead", "ls", "--limit", "1") == [rows[0]]
        would = told("dead", "retry", "--all", "--dry-run")
        assert [(each["session"], each["would"]) for each in would] == [
            (one.id, [rows[0]["id"]]),
            (two.id, [rows[1]["id"]]),
        ]
        assert told("dead", "drop", rows[0]["id"])[0]["dropped"] == [rows[0]["id"]]
        assert told("dead", "drop", "--reason", "expired")[0]["session"] == two.id
        assert told("dead", "retry", "--all") == told("dead", "ls") == []


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["mail", "show", "ffffffff"], Code.NOT_FOUND, "There is no mail ffffffff in 1 session looked at"),
        (["mail", "show", "ff"], Code.USAGE, "'ff' is too short"),
        (["mail", "show", ""], Code.USAGE, "'' is too short for a mail's id"),
        (["dead", "retry", "nobody"], Code.NOT_FOUND, "There is no session nobody"),
        (["branch", "resume", "--pool", "nobody"], Code.NOT_FOUND, "No branch lives in the pool nobody there"),
        (["mail", "ls", "nobody"], Code.NOT_FOUND, "There is no session nobody"),
        (["mail", "ls", "-n", "20001"], Code.USAGE, "At most 20,000"),
        (["mail", "ls", "--older-than", "soon"], Code.USAGE, "is no age"),
        (["dead", "show"], Code.USAGE, "Name a dead letter"),
        (["dead", "show", "1-1"], Code.NOT_FOUND, "No session has a dead letter 1-1"),
        (["dead", "edit", "1-1"], Code.USAGE, "--item TEXT"),
        (["status", "--watch", "--fail-if-dead"], Code.USAGE, "--watch looks on and on"),
        (["status", "--fail-if-waiting", "long"], Code.USAGE, "is no age"),
    ],
)
def test_what_cannot_be_found(
    session: Session, words: list[str], code: Code, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One sentence, and an exit code that tells wrong use from what is not there."""
    assert main(words) == code
    assert said in capsys.readouterr().err


def test_status_is_an_alarm(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 8 when what it is to look for is the case, and why on stderr; else 0."""
    words = ["status", "--fail-if-waiting", "0s", "--fail-if-dead", "--fail-if-lost"]
    assert main(words) == Code.OK
    expired(session, "ada")
    session.default_branch.send(session.new_branch(name="clerk", pool="nobody"), "message", "anybody there?")
    assert main(["status", "--fail-if-waiting", "1h"]) == Code.OK
    capsys.readouterr()
    assert main([*words, "--json"]) == Code.ALARM
    told = capsys.readouterr()
    assert json.loads(told.out)["mail"]["dead"] == 1
    assert "Alarm: 1 branch of the pool nobody waiting, the oldest for" in told.err
    assert "Alarm: 1 dead letter: " in told.err


@pytest.mark.processes
def test_a_list_is_watched(session: Session, stage: Stage) -> None:
    """Look after look, a JSON list a line, until Ctrl-C, which ends it with 0."""
    program = stage.start("-m", "lion_broker", "session", "ls", "--watch", "--interval", "0.1", "--json")
    assert [row["name"] for row in program.told()] == ["mine"]
    with Session(name="late", exchange=stage.exchange):
        wait_until(lambda: [row["name"] for row in program.told()] == ["mine", "late"])
    os.kill(program.pid, signal.SIGINT)
    assert program.wait() == Code.OK
