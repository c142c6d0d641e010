"""`session export`, `import` and `fork` on a real server with real workers."""

from __future__ import annotations

import io
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lion_broker import ItemNotFoundError, Session
from lion_broker.__main__ import main
from lion_broker.cli.exits import Code
from lion_broker.core.ids import IDType
from lion_broker.errors import BrokerUnavailable
from lion_broker.mail.exchange import Exchange, run
from lion_broker.mail.records import BranchSeed, LogRecord, Record
from lion_broker.mail.verbs import IMPORTING, CreateBranch, CreateSession, ListSessions, Restore
from lion_broker.session.exporting import checked, export_steps, import_steps, writer_of
from lion_broker.testing import wait_until
from tests.stage import Stage
from tests.unit.core.test_progress import terminal

pytestmark = [pytest.mark.redis, pytest.mark.processes]

Told = Callable[..., Any]


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Told:
    """Runs a command of `session` with `--json` and returns what it printed."""

    def run(*words: str | Path) -> Any:
        assert main(["session", *map(str, words), "--json"]) == Code.OK
        return json.loads(capsys.readouterr().out)

    return run


def texts(session: Session) -> dict[str, list[str]]:
    """What each branch that has a name has heard."""
    return {one.name: [message.text for message in one.messages] for one in session.branches if one.name}


def history(stage: Stage, delivery: str = "auto") -> Session:
    """A session with histories and all kinds of mail that waits: for a worker, for later, dead, and large."""
    session = Session(exchange=stage.exchange, delivery=delivery, name="ours", metadata={"for": "tests"})
    done = session.new_branch(name="done", pool="default", behaviour="echo")
    later = session.new_branch(name="later", pool="nobody", behaviour="echo")
    paused = session.new_branch(name="paused", pool="default", behaviour="echo")
    session.pause(paused, "for a reason")
    me = session.default_branch
    if delivery == "manual":
        session.collect_send_all(receive_all=True)
    worker = stage.worker()
    worker.ready()
    me.send(done, "message", "one")
    me.send(done, "message", "two")
    if delivery == "manual":
        session.collect_send_all(receive_all=True)
    wait_until(lambda: len(done.messages) == 2)
    worker.stop()
    clone = session.split(done)
    assert [message.text for message in clone.messages] == ["one", "two"]
    me.send(later, "message", "waits")
    me.send(later, "message", "x" * 100_000)
    me.send(paused, "message", "rests")
    session.flush()
    return session


def test_all_of_a_session_comes_back(stage: Stage, told: Told, tmp_path: Path) -> None:
    """Histories, a branch that was split off, waiting and delayed mail, dead letters, a paused branch, limits."""
    session = history(stage)
    gone = session.new_branch(name="gone", pool="nobody")
    session.default_branch.send(gone, "message", "too late")
    session.remove_branch(gone)
    session.default_branch.send(session.branches["later"], "message", "later still", delay=3600)
    session.close()
    file = tmp_path / "ours.jsonl"
    exported = told("export", session.id, "--output", file)
    assert (exported["mails"], exported["dead"], exported["steady"], exported["left_out"]) == (6, 1, True, 0)
    assert file.stat().st_mode & 0o077 == 0
    imported = told("import", file)
    assert imported["session"] != session.id
    assert {name: imported[name] for name in ("branches", "rows", "mails", "dead")} == {
        name: exported[name] for name in ("branches", "rows", "mails", "dead")
    }
    copy = Session.open(imported["session"], exchange=stage.exchange)
    first = Session.open(session.id, exchange=stage.exchange)
    assert (copy.name, copy.metadata, copy.default_branch.id) == ("ours", {"for": "tests"}, first.default_branch.id)
    assert texts(copy) == texts(first)
    assert [one.id for one in copy.branches] == [one.id for one in first.branches]
    assert copy.branches["paused"].record.paused == "for a reason"
    assert [letter.mail.item() for letter in copy.dead_letters if letter.mail] == [
        letter.mail.item() for letter in first.dead_letters if letter.mail
    ]
    assert (copy.counters()["inflight"], copy.counters()["delayed"]) == (3, 1)
    stage.worker(pool="nobody").ready()
    wait_until(lambda: len(copy.branches["later"].messages) == 2)
    assert [len(message.text) for message in copy.branches["later"].messages] == [5, 100_000]
    for one in (copy, first):
        one.delete()
    assert stage.server.strays() == []


def test_a_worker_goes_on_in_a_session_that_came_back(stage: Stage, told: Told, tmp_path: Path) -> None:
    """Under its own id, after the first one was removed; new mail joins the old history, and answers come."""
    session = history(stage)
    session.close()
    file = tmp_path / "ours.jsonl"
    told("export", session.id, "--output", file)
    told("rm", session.id)
    assert told("import", file, "--same-ids")["session"] == session.id
    stage.worker().ready()
    with Session.open(session.id, exchange=stage.exchange, host=True) as again:
        again.default_branch.send(again.branches["done"], "message", "three")
        wait_until(lambda: texts(again)["done"] == ["one", "two", "three"])
        wait_until(lambda: again.default_branch.receive_all() or len(again.default_branch.messages) == 3)
        assert [message.text for message in again.default_branch.messages][-1] == "re three"
        again.delete()
    assert stage.server.strays() == []


def test_mail_of_every_station_comes_back(stage: Stage, told: Told, tmp_path: Path) -> None:
    """With manual delivery: still in an outbox, collected, delivered."""
    with Session(exchange=stage.exchange, delivery="manual") as session:
        ada, ben = session.new_branch(name="ada"), session.new_branch(name="ben")
        ada.send(ben, "message", "delivered")
        session.collect_send_all()
        ada.send(ben, "message", "collected")
        session.take_outgoing(None)
        ada.send(ben, "message", "written")
        session.flush()
    file = tmp_path / "ours.jsonl"
    assert told("export", session.id, "--output", file)["mails"] == 3
    told("rm", session.id)
    told("import", file, "--same-ids")
    with Session.open(session.id, exchange=stage.exchange, host=True) as again:
        again.collect_send_all(receive_all=True)
        assert texts(again)["ben"] == ["delivered", "collected", "written"]
        again.delete()
    assert stage.server.strays() == []


def test_a_fork_begins_with_the_history_and_goes_its_own_way(stage: Stage, told: Told) -> None:
    """No mail is in it: what waits is handled once, in the first session."""
    session = history(stage)
    forked = told("fork", session.id[:13], "--name", "what if")
    fork = Session.open(forked["session"], exchange=stage.exchange, host=True)
    assert (fork.name, fork.metadata) == ("what if", {"for": "tests", "forked_from": session.id})
    assert texts(fork)["done"] == ["one", "two"]
    assert fork.counters() == dict.fromkeys(fork.counters(), 0)
    assert len(fork.branches) == len(session.branches)
    stage.worker().ready()
    fork.default_branch.send(fork.branches["done"], "message", "three")
    wait_until(lambda: texts(fork)["done"] == ["one", "two", "three"])
    assert texts(session)["done"] == ["one", "two"]
    session.resume("paused")
    wait_until(lambda: texts(session)["paused"] == ["rests"])
    assert texts(fork)["paused"] == []
    fork.delete()
    session.delete()
    assert stage.server.strays() == []


def test_a_fork_says_how_far_it_is_on_a_terminal(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the rows of the histories."""
    with Session(exchange=stage.exchange, delivery="auto") as session:
        ben = session.new_branch(name="ben")
        session.default_branch.send(ben, "message", "remember")
        ben.receive_all()
        session.flush()
        shown = terminal(monkeypatch)
        assert main(["session", "fork", session.id]) == Code.OK
    assert f"forking {session.id}" in " ".join(shown.getvalue().split())
    assert "/?" in shown.getvalue()


def test_a_branch_that_was_split_off_a_removed_one_keeps_its_history(stage: Stage, told: Told) -> None:
    """Its log refers to that of the removed branch, which goes along."""
    with Session(exchange=stage.exchange, delivery="auto") as session:
        ada, ben = session.new_branch(name="ada"), session.new_branch(name="ben")
        ben.send(ada, "message", "remember")
        ada.receive_all()
        child = session.split(session.split(ada))
        session.change_default_branch(ben)
        session.remove_branch(ada)
        session.flush()
        fork = Session.open(told("fork", session.id)["session"], exchange=stage.exchange)
        assert [message.text for message in fork.branches[child.id].messages] == ["remember"]
        assert "ada" not in texts(fork)
        fork.delete()
        session.delete()


def test_an_export_of_one_moment(stage: Stage, told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Branches at work end their turn, rest meanwhile, and go on afterwards."""
    monkeypatch.setitem(stage.environ, "DESK", str(tmp_path))
    stage.worker().ready()
    with Session(exchange=stage.exchange, delivery="auto") as session:
        busy = session.new_branch(name="busy", pool="default", behaviour="wait")
        session.default_branch.send(busy, "message", "first")
        wait_until(lambda: (tmp_path / "first.begun").exists())
        file = tmp_path / "ours.jsonl"
        words = ["session", "export", session.id, "--pause", "--output", str(file)]
        assert main([*words, "--wait", "0.05"]) == Code.UNFINISHED
        assert not file.exists()
        assert busy.record.paused == ""
        (tmp_path / "go").touch()
        assert told("export", session.id, "--pause", "--output", file)["steady"] is True
        session.default_branch.send(busy, "message", "second")
        wait_until(lambda: len(busy.messages) == 2)
        copy = told("import", file)["session"]
        with Session.open(copy, exchange=stage.exchange) as moved:
            assert moved.branches["busy"].record.paused == ""
            moved.delete()
        session.delete()


def test_a_session_at_work_is_said_to_be(
    stage: Stage, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file says that it is of no single moment; so do export and import."""
    with Session(exchange=stage.exchange, delivery="auto") as session:
        branch = session.new_branch(name="later", pool="nobody")
        lines: list[bytes] = []

        def write(line: bytes) -> None:
            lines.append(line)
            if len(lines) == 2:
                session.default_branch.send(branch, "message", "meanwhile")

        assert run(stage.exchange, export_steps(session.id, write)).steady is False
        monkeypatch.setattr("sys.stdin", type("Stdin", (), {"buffer": io.BytesIO(b"".join(lines))}))
        assert main(["session", "import", "-"]) == Code.OK
        assert "was at work while it was exported" in capsys.readouterr().err
        session.delete()


def exported(stage: Stage, session: Session) -> list[bytes]:
    """The lines of a session."""
    lines: list[bytes] = []
    run(stage.exchange, export_steps(session.id, lines.append))
    return lines


def test_an_id_that_is_taken_is_refused(
    stage: Stage, told: Told, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And the session that has it stays as it is."""
    with Session(exchange=stage.exchange) as session:
        file = tmp_path / "ours.jsonl"
        told("export", session.id, "--output", file)
        assert main(["session", "import", str(file), "--same-ids"]) == Code.ERROR
        assert "exists already" in capsys.readouterr().err
        assert told("import", file, "--check")["session"] == session.id
        assert stage.exchange.call(ListSessions()) == (session.id,)
        session.delete()


def test_an_import_that_is_cut_off_is_seen_and_begun_anew(
    stage: Stage, told: Told, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """After a kill in the middle nobody opens the half session, no worker takes its mail, and it can be removed."""
    session = history(stage)
    session.close()
    file = tmp_path / "ours.jsonl"
    told("export", session.id, "--output", file)
    told("rm", session.id)
    plan = checked(io.BytesIO(file.read_bytes()))
    begun = import_steps(plan, io.BytesIO(file.read_bytes()), writer_of(plan, True))
    verbs = next(begun)
    for _ in range(8):
        verbs = begun.send(stage.exchange.call_all(verbs))
    del begun  # as if the process had gone
    (row,) = told("ls")
    assert (row["id"], row["name"]) == (session.id, "(being imported)")
    with pytest.raises(ItemNotFoundError, match="being imported"):
        Session.open(session.id, exchange=stage.exchange)
    assert main(["session", "fork", session.id]) == Code.USAGE
    assert "being imported" in capsys.readouterr().err
    told("import", file, "--same-ids")
    again = Session.open(session.id, exchange=stage.exchange)
    assert texts(again)["done"] == ["one", "two"]
    again.delete()
    assert stage.server.strays() == []


class Failing(Exchange):
    """An exchange that stops answering at some time."""

    def __init__(self, exchange: Exchange, after: int) -> None:
        self.url, self.profile = exchange.url, exchange.profile
        self._exchange, self._left = exchange, after

    def call_all(self, verbs: Any, /) -> list[Any]:
        """Answer, until it does not."""
        self._left -= 1
        if self._left == 0:
            raise BrokerUnavailable("gone for a moment")
        return self._exchange.call_all(verbs)

    async def acall_all(self, verbs: Any, /, **way: Any) -> list[Any]:
        """Not used here."""
        raise NotImplementedError

    def close(self) -> None:
        """Nothing of its own."""

    async def aclose(self) -> None:
        """Nothing of its own."""


@pytest.mark.parametrize("after", [2, 3, 5, 6])
def test_an_import_that_fails_leaves_nothing(after: int, stage: Stage, tmp_path: Path) -> None:
    """What was made so far is removed, and the error is the one that stopped it."""
    session = history(stage)
    file = tmp_path / "ours.jsonl"
    file.write_bytes(b"".join(exported(stage, session)))
    plan = checked(io.BytesIO(file.read_bytes()))
    with file.open("rb") as opened, pytest.raises(BrokerUnavailable, match="for a moment"):
        run(Failing(stage.exchange, after), import_steps(plan, opened, writer_of(plan, False)))
    assert stage.exchange.call(ListSessions()) == (session.id,)
    session.delete()
    assert stage.server.strays() == []


def test_memory_is_bounded(stage: Stage, tmp_path: Path) -> None:
    """Forty megabytes of history are exported and imported within a quarter of that."""
    made = IDType.create()
    calls: list[Any] = [CreateSession(made, {"delivery": "auto", IMPORTING: "1", "name": '"long"'})]
    calls += [CreateBranch(made, BranchSeed(IDType.create(), name="b"), ())]
    branch = calls[1].seed.id
    stage.exchange.call_all(calls)
    body = json.dumps({"log": {"content": "x" * 4000}}).encode()
    for part in range(1, 101):
        rows = tuple(LogRecord(part, place, Record("log", body)) for place in range(1, 101))
        stage.exchange.call(Restore(made, branch, part, rows, done=part == 100))
    file = tmp_path / "long.jsonl"
    tracemalloc.start()
    with file.open("wb") as out:
        assert run(stage.exchange, export_steps(made, out.write)).rows == 10_000
    with file.open("rb") as source:
        plan = checked(source)
        source.seek(0)
        assert run(stage.exchange, import_steps(plan, source, writer_of(plan, False))).rows == 10_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert file.stat().st_size > 40_000_000
    assert peak < 12_000_000


def test_no_secret_is_in_it(stage: Stage, told: Told, tmp_path: Path) -> None:
    """Neither the key that signs nor that of a model, nor signatures."""
    from lion_broker import iModel

    model = iModel("openai", "gpt-4o-mini", api_key="sk-of-the-tests")
    with Session(exchange=stage.exchange, delivery="auto") as session:
        ada = session.new_branch(name="ada", imodel=model)
        session.default_branch.send(ada, "imodel", model)
        session.default_branch.send(session.new_branch(name="b", pool="nobody"), "message", "hello")
        session.flush()
        file = tmp_path / "ours.jsonl"
        told("export", session.id, "--output", file)
        secret = Path(stage.environ["LION_BROKER_DATA_DIR"], "secret").read_text()
        assert "sk-of-the-tests" not in file.read_text()
        assert secret.strip() not in file.read_text()
        session.delete()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["export", "0000"], Code.NOT_FOUND, "There is no session 0000"),
        (["export", "0000", "--json"], Code.USAGE, "give --output FILE"),
        (["import", "/nowhere/at.all"], Code.USAGE, "cannot be read"),
        (["fork", "0000"], Code.NOT_FOUND, "There is no session 0000"),
    ],
)
def test_wrong_use_is_told(
    words: list[str], code: Code, said: str, stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one sentence."""
    assert stage.exchange.call(ListSessions()) == ()
    assert main(["session", *words]) == code
    assert said in capsys.readouterr().err
