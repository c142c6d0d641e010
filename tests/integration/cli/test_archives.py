"""`session export` and `import` of several sessions at once, on a real server."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lion_broker import Session
from lion_broker.__main__ import main
from lion_broker.cli import session_export, session_import
from lion_broker.cli.exits import Code
from lion_broker.mail.verbs import IMPORTING, CreateSession, ListSessions
from lion_broker.session.exporting import lines_to
from lion_broker.testing import wait_until
from tests.integration.cli.conftest import Told
from tests.stage import Stage

pytestmark = pytest.mark.redis

Making = Callable[..., list[str]]


@pytest.fixture
def made(stage: Stage) -> Making:
    """Makes sessions with a branch and a mail that waits, and returns their ids."""

    def make(*names: str) -> list[str]:
        found = list[str]()
        for name in names:
            with Session(exchange=stage.exchange, delivery="auto", name=name) as session:
                session.default_branch.send(session.new_branch(name="b", pool="nobody"), "message", f"to {name}")
                session.flush()
                found.append(session.id)
        return found

    return make


def names_of(stage: Stage) -> list[str]:
    """The sessions that are there, by their names."""
    ids = stage.exchange.call(ListSessions())
    return [Session.open(one, exchange=stage.exchange).name or "" for one in ids]


def inside(directory: Path) -> list[str]:
    """What a directory holds."""
    return sorted(one.name for one in directory.iterdir())


def test_all_of_them_come_back(stage: Stage, made: Making, told: Told, tmp_path: Path) -> None:
    """A file each, closed to others; removed and imported they are there again, and a second time left out."""
    ids, backup = made("one", "two", "three"), tmp_path / "backup"
    rows = told("session", "export", "--all", "--output", str(backup))
    assert [(row["session"], row["mails"], row["file"]) for row in rows] == [
        (one, 1, str(backup / f"{one}.jsonl")) for one in ids
    ]
    assert inside(backup) == sorted(f"{one}.jsonl" for one in ids)
    assert all(one.stat().st_mode & 0o077 == 0 for one in (backup, *backup.iterdir()))
    told("session", "rm", *ids[:2])
    assert main(["session", "import", str(backup), "--same-ids"]) == Code.ERROR
    assert names_of(stage) == ["three"]
    again = told("session", "import", str(backup), "--same-ids", "--skip-existing")
    assert {row["session"] for row in again} == set(ids[:2])
    assert sorted(names_of(stage)) == ["one", "three", "two"]
    assert told("session", "import", str(backup), "--same-ids", "--skip-existing") == []
    copies = told("session", "import", str(backup))
    assert [row["origin"] for row in copies] == sorted(ids)
    assert {row["session"] for row in copies}.isdisjoint(ids)


def test_some_of_them(made: Making, told: Told, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Named, one of them twice; what the directory holds of others stays, and an older file is replaced."""
    one, two, three = made("one", "two", "three")
    (tmp_path / "of-mine.txt").write_text("mine")
    (tmp_path / f"{two}.jsonl").write_text("old")
    rows = told("session", "export", "one", two, "one", one, "--output", str(tmp_path))
    assert [row["session"] for row in rows] == [one, two]
    assert inside(tmp_path) == sorted([f"{one}.jsonl", f"{two}.jsonl", "of-mine.txt"])
    assert main(["session", "export", "three", "--output", str(tmp_path)]) == Code.OK
    assert f"Exported 1 session into {tmp_path}." in capsys.readouterr().err
    files = [str(tmp_path / f"{name}.jsonl") for name in (one, three)]
    assert [row["file"] for row in told("session", "import", *files, files[0], "--check")] == files
    assert len(told("session", "import", *files, files[0])) == 2


def test_none_of_them(stage: Stage, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where there is no session nothing is written, and an empty directory is no backup."""
    backup = tmp_path / "backup"
    assert main(["session", "export", "--all", "--output", str(backup)]) == Code.OK
    assert "There are no sessions." in capsys.readouterr().err
    assert not backup.exists()
    assert main(["session", "import", str(tmp_path)]) == Code.USAGE
    assert f"There is no export (*.jsonl) in {tmp_path}." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["export"], Code.USAGE, "Name sessions, or take all"),
        (["export", "one", "--all"], Code.USAGE, "one of the two"),
        (["export", "one", "two"], Code.USAGE, "a file each: name it with --output"),
        (["export", "--all"], Code.USAGE, "a file each: name it with --output"),
        (["export", "one", "two", "--output", "FILE"], Code.USAGE, "is a file, and several"),
        (["export", "one", "two", "--output", "FILE/in"], Code.USAGE, "cannot be made"),
        (["export", "one", "nobody", "--output", "NEW"], Code.NOT_FOUND, "There is no session nobody"),
        (["import", "FILE", "-"], Code.USAGE, "Standard input holds one export"),
        (["import", "FILE", "--skip-existing"], Code.USAGE, "give --same-ids as well"),
        (["import", "FILE", "NEW"], Code.USAGE, "FILE: Line 1 of the export cannot be read"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_use_of_several(
    words: list[str],
    code: Code,
    said: str,
    stage: Stage,
    made: Making,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Is told in one sentence, and nothing is written."""
    made("one", "two")
    (tmp_path / "FILE").write_text("mine\n")
    placed = [str(tmp_path / word) if word.startswith(("FILE", "NEW")) else word for word in words]
    assert main(["session", *placed]) == code
    assert said in capsys.readouterr().err.replace(f"{tmp_path}/", "")
    assert inside(tmp_path) == ["FILE"]
    assert (tmp_path / "FILE").read_text() == "mine\n"
    assert names_of(stage) == ["one", "two"]


def test_one_that_is_broken_imports_none(
    stage: Stage, made: Making, told: Told, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor do two exports of one session that is to keep its id; the file is named."""
    ids = made("one", "two")
    told("session", "export", "--all", "--output", str(tmp_path))
    told("session", "rm", *ids)
    twice = tmp_path / "again.jsonl"
    twice.write_bytes((tmp_path / f"{ids[0]}.jsonl").read_bytes())
    assert main(["session", "import", str(tmp_path), "--same-ids"]) == Code.USAGE
    assert f"exports of one session, {ids[0]}" in capsys.readouterr().err
    twice.write_bytes(twice.read_bytes()[:-20])
    assert main(["session", "import", str(tmp_path)]) == Code.USAGE
    assert f"Error: {twice}: The export is cut off" in capsys.readouterr().err
    assert stage.exchange.call(ListSessions()) == ()


def test_an_interrupted_export_leaves_whole_files(
    made: Making, told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was written is whole, of the one in the middle nothing stays, and how far it came is said."""
    ids, written = made("one", "two", "three"), 0

    def interrupted(file: Any, step: Any) -> Any:
        nonlocal written
        written += 1
        if written == 2:
            file.write(b"half a line")
            raise KeyboardInterrupt
        return lines_to(file, step)

    monkeypatch.setattr("lion_broker.session.exporting.lines_to", interrupted)
    assert main(["session", "export", "--all", "--output", str(tmp_path)]) == Code.SIGNAL + 2
    assert "Exported 1 of 3 sessions; what was exported is whole." in capsys.readouterr().err
    assert inside(tmp_path) == [f"{ids[0]}.jsonl"]
    assert told("session", "import", str(tmp_path), "--check")[0]["session"] == ids[0]


def test_an_interrupted_import_goes_on(
    stage: Stage,
    made: Making,
    told: Told,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What was imported stays, the rest is not begun, and the same command with one more word does the others."""
    ids = made("one", "two", "three")
    told("session", "export", "--all", "--output", str(tmp_path))
    told("session", "rm", *ids)
    begun, real = 0, session_import._imported

    def interrupted(*args: Any) -> Any:
        nonlocal begun
        begun += 1
        if begun == 2:
            raise KeyboardInterrupt
        return real(*args)

    monkeypatch.setattr(session_import, "_imported", interrupted)
    assert main(["session", "import", str(tmp_path), "--same-ids"]) == Code.SIGNAL + 2
    assert "Imported 1 of 3 files; what was imported is whole. --skip-existing goes on" in capsys.readouterr().err
    assert len(names_of(stage)) == 1
    told("session", "import", str(tmp_path), "--same-ids", "--skip-existing")
    assert sorted(names_of(stage)) == ["one", "three", "two"]


def test_one_that_does_not_rest_keeps_no_other_from_it(
    stage: Stage,
    made: Making,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It is named, and the exit code says that something is missing; one that is removed meanwhile is left out, too."""
    monkeypatch.setitem(stage.environ, "DESK", str(tmp_path))
    stage.worker().ready()
    with Session(exchange=stage.exchange, delivery="auto", name="busy") as session:
        busy = session.new_branch(name="busy", pool="default", behaviour="wait")
        session.default_branch.send(busy, "message", "first")
        wait_until(lambda: (tmp_path / "first.begun").exists())
        (one,) = made("one")
        backup = tmp_path / "backup"
        words = ["session", "export", "--all", "--pause", "--wait", "0.05", "--output", str(backup)]
        assert main(words) == Code.UNFINISHED
        told = capsys.readouterr().err
        assert f"Warning: {session.id} was left out: busy did not end a turn" in told
        assert f"Exported 1 session into {backup}." in told
        assert inside(backup) == [f"{one}.jsonl"]
        (tmp_path / "go").touch()
        real = session_export._written
        monkeypatch.setattr(
            session_export,
            "_written",
            lambda exchange, name, *rest: real(exchange, "gone" if name == one else name, *rest),
        )
        assert main(["session", "export", "--all", "--output", str(backup)]) == Code.NOT_FOUND
        assert f"Warning: {one} was left out: There is no session gone" in capsys.readouterr().err
        assert inside(backup) == sorted(f"{name}.jsonl" for name in (one, session.id))


def test_one_that_is_being_imported_is_left_out(
    stage: Stage, made: Making, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is not whole; and with --skip-existing it is imported anew rather than left as it is."""
    (one,) = made("one")
    assert main(["session", "export", one, "--output", str(tmp_path)]) == Code.OK
    with Session.open(one, exchange=stage.exchange) as session:
        session.delete()
    stage.exchange.call(CreateSession(one, {"delivery": "auto", IMPORTING: json.dumps("broken off")}))
    assert main(["session", "export", "--all", "--output", str(tmp_path / "backup")]) == Code.OK
    assert f"Warning: {one} is being imported, and was left out." in capsys.readouterr().err
    assert main(["session", "import", str(tmp_path), "--same-ids", "--skip-existing"]) == Code.OK
    assert names_of(stage) == ["one"]
