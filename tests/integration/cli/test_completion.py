"""What a shell is offered when somebody presses the tabulator."""

from __future__ import annotations

import shlex
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from lion_broker import Session
from lion_broker.testing import wait_until
from tests.stage import ROOT, Stage

pytestmark = [pytest.mark.redis, pytest.mark.processes]


def offered(stage: Stage, *typed: str, **environ: str) -> list[str]:
    """What bash gets for a line whose last word is being typed."""
    asking = {
        "_LION_BROKER_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(("lion-broker", *typed)),
        "COMP_CWORD": str(len(typed)),
        "PYTHONPATH": str(ROOT),
        "PATH": "/usr/bin:/bin",
    }
    program = "import sys; from lion_broker.__main__ import main; sys.exit(main())"
    words = [sys.executable, "-c", program]
    done = subprocess.run(words, env={**stage.environ, **asking, **environ}, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


def test_names_of_the_exchange_are_offered(stage: Stage) -> None:
    """Sessions, pools and workers, beside commands and options."""
    worker = stage.worker(pool="readers")
    with Session(name="mine", exchange=stage.exchange) as session:
        owner = worker.ready()
        assert offered(stage, "session", "show", session.id[:4]) == [session.id]
        assert offered(stage, "session", "show", "zzz") == []
        wait_until(lambda: offered(stage, "drain", "") == [owner])
        assert offered(stage, "drain", "--version", "") == [version("lion-broker")]
        assert offered(stage, "drain", "--pool", "r") == offered(stage, "scale", "") == ["readers"]
    assert offered(stage, "dead", "ls", "--reason", "w") == ["withdrawn"]
    assert offered(stage, "stat") == ["status"]
    assert "--watch" in offered(stage, "status", "--w")


def test_nothing_is_started_or_said_for_it(stage: Stage, tmp_path: Path) -> None:
    """Without a server there is nothing to offer, and a wrong setting is no matter for this moment."""
    place = tmp_path / "data"
    assert offered(stage, "session", "show", "", LION_BROKER_DATA_DIR=str(place)) == []
    assert not place.exists()
    away = {"LION_BROKER_URL": "redis://127.0.0.1:1", "LION_BROKER_INSECURE": "1"}
    assert offered(stage, "scale", "", **away) == []
    assert offered(stage, "scale", "", LION_BROKER_URL="ftp://nowhere") == []


def test_a_shell_is_taught(stage: Stage) -> None:
    """`--show-completion` prints what the shell needs in which it is run."""
    # With a last word behind it, or bash would become the program, and there would be no shell to find.
    line = f"{shlex.quote(sys.executable)} -m lion_broker --show-completion; exit $?"
    told = subprocess.run(
        ["bash", "-c", line], env=stage.environ, capture_output=True, text=True, timeout=60, check=True
    )
    assert "_LION_BROKER_COMPLETE=complete_bash" in told.stdout
