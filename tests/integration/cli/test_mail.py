"""`mail send` into running sessions, with and without waiting, and `branch show`."""

import io

import pytest

from lion_broker import Session
from lion_broker.__main__ import main
from lion_broker.cli.exits import Code
from lion_broker.testing import wait_until
from tests.integration.cli.conftest import Told
from tests.stage import Stage

pytestmark = [pytest.mark.redis, pytest.mark.processes]


@pytest.mark.parametrize("delivery", ["auto", "manual"])
def test_an_answer_is_waited_for_and_printed(
    delivery: str, stage: Stage, told: Told, capsys: pytest.CaptureFixture[str]
) -> None:
    """A worker's branch answers the session; the text alone goes to stdout, so that it can be piped."""
    stage.worker().ready()
    session = Session(exchange=stage.exchange, delivery=delivery, name="ours")
    desk = session.new_branch(name="desk", pool="default", behaviour="echo")
    assert main(["mail", "send", session.id[:13], "desk", "hello", "--wait", "30"]) == Code.OK
    said = capsys.readouterr()
    assert said.out == "re hello\n"
    assert "waiting" in said.err
    found = told("mail", "send", session.id, desk.id, "again", "--wait", "30", "--as-user", "ada")
    assert (found["branch"], found["answer"]["from"], found["answer"]["category"]) == (desk.id, desk.id, "message")
    assert found["answer"]["item"] == "re again"
    assert [message.text for message in desk.messages] == ["hello", "again"]
    # Who has waited has taken them: they are in the session's history, and wait for nobody.
    assert told("status")["mail"]["unreceived"] == 0
    assert [message.text for message in session.messages] == ["re hello", "re again"]
    assert len(session.mailbox.pending_ins) == 0
    session.delete()


def test_a_program_that_takes_the_answer_first_hides_nothing(stage: Stage, told: Told) -> None:
    """What has left the inbox stands in the session's own history, once, whoever has taken it."""
    stage.worker().ready()
    with Session(exchange=stage.exchange, delivery="auto") as session:
        session.new_branch(name="desk", pool="default", behaviour="echo")
        found = told("mail", "send", session.id, "desk", "hello", "--wait", "30")
        session.collect(session)
        assert [message.text for message in session.messages] == ["re hello"]
        assert found["answer"]["mail"] == session.messages[0].id
        session.delete()


def test_without_waiting_it_is_stored_and_that_is_all(
    stage: Stage, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a branch that no worker serves too; a dash reads standard input, without its last line feed."""
    with Session(exchange=stage.exchange, delivery="auto") as session:
        branch = session.new_branch(name="later", pool="nobody")
        monkeypatch.setattr("sys.stdin", io.StringIO("two\nlines\n"))
        sent = told("mail", "send", session.id, "later", "-")
        assert (sent["branch"], sent["answer"]) == (branch.id, None)
        assert branch.record.waiting == 1
        session.delete()


def test_a_tool_and_a_model_go_by_name(stage: Stage, told: Told) -> None:
    """The names are those of the registry of the workers; the branch has them afterwards."""
    stage.worker().ready()
    with Session(exchange=stage.exchange, delivery="auto") as session:
        branch = session.new_branch(name="desk", pool="default")
        told("mail", "send", session.id, "desk", "add", "--category", "tool")
        told("mail", "send", session.id, "desk", "quote", "--category", "imodel")
        told("mail", "send", session.id, "desk", "hello")
        wait_until(lambda: len(branch.messages) == 1)
        shown = told("branch", "show", session.id[:13], "desk")
        assert (shown["tools"], shown["name"], shown["count"]) == (["add"], "desk", 1)
        assert [one.rpartition("=")[2] for one in shown["models"]] == ["quote"]
        assert [one["text"] for one in shown["messages"]] == ["hello"]
        assert told("branch", "show", session.id, branch.id, "--last", "0")["messages"] == []
        session.delete()


def test_for_people_a_branch_is_text(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """Fields one a line, then the messages, each cut to a line."""
    with Session(exchange=stage.exchange) as session:
        branch = session.new_branch(name="ada", system="You plan\ntrips.")
        session.flush()
        assert main(["branch", "show", session.id, "ada"]) == Code.OK
        lines = capsys.readouterr().out.splitlines()
        assert lines[0].split() == ["id:", str(branch.id)]
        assert lines[-1].endswith("You plan trips.")
        assert main(["branch", "show", session.id, "nobody"]) == Code.NOT_FOUND
        session.delete()


def test_nothing_back_in_time_is_exit_code_7(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """The mail stays, and the error says where to look."""
    with Session(exchange=stage.exchange, delivery="auto") as session:
        branch = session.new_branch(name="later", pool="nobody")
        assert main(["mail", "send", session.id, "later", "hello", "--wait", "0.1"]) == Code.UNFINISHED
        assert "Nothing came back" in capsys.readouterr().err.splitlines()[-1]
        assert branch.record.waiting == 1
        session.delete()


def test_a_mail_that_dies_ends_the_waiting(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """A tool that no worker knows makes a dead letter, which is named."""
    stage.worker().ready()
    with Session(exchange=stage.exchange, delivery="auto") as session:
        session.new_branch(name="desk", pool="default", behaviour="echo")
        words = ["mail", "send", session.id, "desk", "no_such_tool", "--category", "tool", "--wait", "60"]
        assert main(words) == Code.ERROR
        error = capsys.readouterr().err.splitlines()[-1]
        assert "became a dead letter (unknown_tool)" in error
        # A sentence, and another one: a person reads both.
        assert f". `lion-broker dead show {session.id} {session.dead_letters[0].id}` has more." in error
        assert ".." not in error.replace("...", "")
        session.delete()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["0000", "desk", "hello"], Code.NOT_FOUND, "There is no session 0000"),
        (["SESSION", "nobody", "hello"], Code.NOT_FOUND, "nobody"),
        (["SESSION", "desk", " "], Code.USAGE, "The text is empty"),
        (["SESSION", "desk", "hello", "--wait", "0"], Code.USAGE, "Invalid value for '--wait'"),
        (["SESSION", "desk", "hello", "--category", "command"], Code.USAGE, "Invalid value for '--category'"),
        (["SESSION", "desk", "x" * 9_000_000], Code.ERROR, "9,000"),
    ],
)
def test_what_cannot_be_sent_is_refused(
    words: list[str], code: Code, said: str, stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one sentence, and nothing is sent."""
    with Session(exchange=stage.exchange, delivery="auto") as session:
        session.new_branch(name="desk", pool="nobody")
        assert main(["mail", "send", *(session.id if one == "SESSION" else one for one in words)]) == code
        assert said in capsys.readouterr().err.splitlines()[-1]
        assert session.counters()["posted"] == 0
        session.delete()


def test_a_removed_branch_takes_no_mail(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """It is known by its id still, and says so."""
    with Session(exchange=stage.exchange, delivery="auto") as session:
        gone = session.new_branch(name="gone", pool="nobody")
        session.remove_branch(gone)
        assert main(["mail", "send", session.id, gone.id, "hello"]) != Code.OK
        assert capsys.readouterr().err.startswith("Error: ")
        session.delete()
