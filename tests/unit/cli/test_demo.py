"""What `demo research` prints and how it ends, told from a result that is given."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lion_broker.__main__ import main
from lion_broker.cli import demo
from lion_broker.cli.exits import Code
from lion_broker.cli.up_state import UpFiles, UpState
from lion_broker.demo import desk
from lion_broker.demo.audit import Audit
from lion_broker.demo.desk import Brief, Kill, Result
from lion_broker.mail.memory import MemoryExchange

REPORT = "# What?\n\nThis. [1]\n"
KILL = Kill("worker 2", "reader-1", at=1.0, successor="worker 3", after=2.13)
GOOD = Result(REPORT, "the-id", Audit(21, 0, 0), 1, 7, 1.0, 3.14159, (KILL,), kept=False)

Gives = Callable[[Result], None]


@pytest.fixture
def gives(monkeypatch: pytest.MonkeyPatch) -> Gives:
    """Makes the desk give a certain result, without a server and without workers."""

    def give(result: Result) -> None:
        def research(brief: Brief, *_: Any) -> Result:
            return replace(result, kept=brief.keep)

        monkeypatch.setattr(demo, "shared_exchange", lambda settings: MemoryExchange())
        monkeypatch.setattr(desk, "research", research)

    return give


def test_the_report_and_the_closing_table(gives: Gives, capsys: pytest.CaptureFixture[str]) -> None:
    """The report alone is on stdout; the figures, the kill and who took over are on stderr."""
    gives(GOOD)
    assert main(["demo", "research", "--kill-one"]) == Code.OK
    told = capsys.readouterr()
    assert told.out == REPORT
    for line in (
        "mails           21",
        "redelivered     1",
        "quote fidelity  100% of 7 quotes stand in the corpus word for word",
        "workers killed  1 (worker 2, while reader-1 was reading; worker 3 had done it 2.1 s later)",
        "tokens          0 (no language model was used)",
    ):
        assert line in told.err.splitlines()


def test_a_kept_session_is_named(gives: Gives, capsys: pytest.CaptureFixture[str]) -> None:
    """With `--keep` the closing table ends with the command that shows the session."""
    gives(GOOD)
    assert main(["demo", "research", "--keep"]) == Code.OK
    assert capsys.readouterr().err.splitlines()[-2:] == [
        "more            lion-broker session trace the-id",
        "in a browser    lion-broker gateway",
    ]


def test_a_dashboard_that_is_up_is_named(
    gives: Gives, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gateway of one's own would find its port taken; one that serves another exchange is of no use."""
    gives(GOOD)
    up = UpState(1, 0.0, "redis://here:1/0", "http://127.0.0.1:8420", "app:registry", ("default",), "http://…#token")
    monkeypatch.setattr(UpFiles, "read", lambda _: up)
    assert main(["demo", "research", "--keep", "--url", "redis://here:1/0"]) == Code.OK
    assert capsys.readouterr().err.splitlines()[-1] == "in a browser    lion-broker up --address"
    assert main(["demo", "research", "--keep", "--url", "redis://there:1/0"]) == Code.OK
    assert capsys.readouterr().err.splitlines()[-1] == "in a browser    lion-broker gateway"


def test_json_is_one_object(gives: Gives, capsys: pytest.CaptureFixture[str]) -> None:
    """With `--json` stdout holds the summary and stderr nothing."""
    gives(GOOD)
    assert main(["demo", "research", "--json"]) == Code.OK
    told = capsys.readouterr()
    assert told.err == ""
    assert json.loads(told.out) == {
        "mails": 21,
        "redelivered": 1,
        "lost": 0,
        "duplicates": 0,
        "quote_fidelity": 1.0,
        "seconds": 3.14,
        "workers_killed": 1,
        "report": REPORT,
    }


@pytest.mark.parametrize(
    "bad",
    [replace(GOOD, audit=Audit(21, 1, 0)), replace(GOOD, audit=Audit(21, 0, 1)), replace(GOOD, fidelity=0.9)],
    ids=["lost", "twice", "not a quote"],
)
def test_a_broken_promise_is_exit_code_5(bad: Result, gives: Gives, capsys: pytest.CaptureFixture[str]) -> None:
    """The report is shown all the same, but no script takes it for a success."""
    gives(bad)
    assert main(["demo", "research"]) == Code.BROKEN
    assert capsys.readouterr().out == REPORT


def test_a_kill_that_did_not_happen_is_an_error(gives: Gives, capsys: pytest.CaptureFixture[str]) -> None:
    """Who asks for a kill learns when there was none."""
    gives(replace(GOOD, kills=()))
    assert main(["demo", "research", "--kill-one"]) == Code.ERROR
    assert "No worker was killed" in capsys.readouterr().err


def test_the_report_goes_to_a_file(gives: Gives, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With `--output` the file has the report and stdout does not; a place that cannot be written is an error."""
    gives(GOOD)
    assert main(["demo", "research", "--output", str(tmp_path / "r.md")]) == Code.OK
    assert (tmp_path / "r.md").read_text() == REPORT
    assert capsys.readouterr().out == ""
    assert main(["demo", "research", "--output", str(tmp_path)]) == Code.USAGE
    assert "cannot be written" in capsys.readouterr().err


def test_files_that_are_not_in_the_corpus_are_named(
    gives: Gives, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first of them with the reason, the others by their number."""
    gives(GOOD)
    (tmp_path / "a.txt").write_text("A lion is a large cat.")
    for name in "bcdef":
        (tmp_path / name).write_bytes(b"\0")
    assert main(["demo", "research", "--corpus", str(tmp_path)]) == Code.OK
    told = "Left out of the corpus: b (a binary file), c (a binary file), d (a binary file) and 2 more."
    assert told in capsys.readouterr().err.splitlines()


@pytest.mark.parametrize("empty", [True, False])
def test_a_corpus_without_text(
    empty: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A directory that is missing or empty is refused before any server or worker is started."""
    monkeypatch.setenv("LION_BROKER_DATA_DIR", str(tmp_path / "data"))
    folder = tmp_path / "corpus"
    if empty:
        folder.mkdir()
    assert main(["demo", "research", "--corpus", str(folder)]) == Code.USAGE
    assert str(folder) in capsys.readouterr().err
    assert not (tmp_path / "data").exists()
