"""The research desk as a user starts it: real processes, a kill in the middle, and nothing left behind."""

import json
import os
import re
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lion_broker.broker.server.state import ProcessId
from lion_broker.demo.desk import Result
from lion_broker.insight.overview import workers_steps
from lion_broker.mail.exchange import run
from lion_broker.mail.verbs import ListSessions
from lion_broker.testing import FakeModelServer, wait_until
from tests.stage import Program, Stage

pytestmark = [pytest.mark.redis, pytest.mark.processes]

DEMO = ("-m", "lion_broker", "demo", "research")
SLOW = (*DEMO, "--pace", "0.2")


def started_by(program: Program) -> list[ProcessId]:
    """The workers that a desk has started."""
    ps = subprocess.run(["ps", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True)
    rows = [line.split(maxsplit=2) for line in ps.stdout.splitlines()]
    found = [ProcessId.of(int(pid)) for pid, parent, words in rows if int(parent) == program.pid and "worker" in words]
    return [one for one in found if one is not None]


def at_work(stage: Stage, program: Program) -> list[ProcessId]:
    """Wait until a desk's workers are in the middle of the work, and return them."""
    workers = wait_until(lambda: found if len(found := started_by(program)) == 3 else None)

    def reads() -> bool:
        sessions = stage.exchange.call(ListSessions())
        return any(row["owner"] for one in sessions for row in branches(stage, one) if row["behaviour"] == "reader")

    wait_until(reads)
    return workers


def branches(stage: Stage, session: str) -> list[dict[str, Any]]:
    """What `session show` says about the branches of a session."""
    told = stage.start("-m", "lion_broker", "session", "show", session, "--json").told()
    return list(told["branches"])


def test_with_a_language_model(stage: Stage) -> None:
    """Three variables name an OpenAI-compatible server, whose model leads the report, whoever is killed."""
    with FakeModelServer(api_key="hush") as server:
        server.says("The exception is passed to __exit__ [1].")
        environ = {
            "LION_BROKER_DEMO_MODEL": "small",
            "LION_BROKER_DEMO_MODEL_URL": server.url,
            "LION_BROKER_DEMO_MODEL_KEY": "hush",
        }
        plain = stage.start(*DEMO, "--json", **environ).told()
        killed = stage.start(*DEMO, "--json", "--kill-one", **environ).told()
        shown = stage.start(*DEMO, **environ)
        assert shown.wait(60) == 0
        assert len(server.requests) == 3
    assert "in the words of openai/small: The exception is passed to exit [1]." in plain["report"].replace("_", "")
    assert "no language model" not in plain["report"]
    assert (plain["report"], plain["quote_fidelity"]) == (killed["report"], 1.0)
    assert (killed["workers_killed"], killed["lost"], killed["duplicates"]) == (1, 0, 0)
    assert re.search(r"tokens +\d+ \(as the model's server has counted\)", shown.errors)
    assert "hush" not in shown.errors + plain["report"]


def test_half_a_model_is_refused(stage: Stage) -> None:
    """Before anything is started, in one sentence."""
    program = stage.start(*DEMO, LION_BROKER_DEMO_MODEL="small")
    assert program.wait() == 2
    assert "Error: LION_BROKER_DEMO_MODEL is 'small'" in program.errors


def test_a_killed_worker_changes_nothing(stage: Stage) -> None:
    """With and without a kill: the same report and the same mail, nothing lost, nothing twice, all quotes genuine."""
    plain = stage.start(*DEMO, "--json").told()
    killed = stage.start(*DEMO, "--json", "--kill-one").told()
    assert set(plain) == {
        *("mails", "redelivered", "lost", "duplicates", "quote_fidelity", "seconds", "workers_killed", "report")
    }
    assert (plain["workers_killed"], killed["workers_killed"]) == (0, 1)
    assert killed["redelivered"] >= 1
    for name in ("report", "mails", "lost", "duplicates", "quote_fidelity"):
        assert plain[name] == killed[name]
    assert (plain["lost"], plain["duplicates"], plain["quote_fidelity"]) == (0, 0, 1.0)
    assert re.search(r"\[\d+\]", plain["report"])
    assert stage.exchange.call(ListSessions()) == ()
    assert run(stage.exchange, workers_steps()) == ()
    assert stage.start("-m", "lion_broker", "status", "--fail-if-lost").wait() == 0


def test_the_report_is_what_stdout_gets(stage: Stage, tmp_path: Path) -> None:
    """Piped, the report is Markdown and the closing table goes to stderr; `--keep` leaves the session to look at."""
    program = stage.start(*DEMO, "--pace", "0", "--keep", "--output", str(tmp_path / "report.md"))
    assert program.wait() == 0, program.errors
    assert (tmp_path / "report.md").read_text().startswith("# What happens")
    assert program.process.stdout is not None
    assert program.process.stdout.read() == ""
    assert re.search(r"^lost +0$", program.errors, re.MULTILINE)
    (session,) = stage.exchange.call(ListSessions())
    assert f"lion-broker session trace {session}" in program.errors
    assert {row["name"] for row in branches(stage, session)} >= {"planner", "reader-3", "critic", "writer"}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_desk_that_is_stopped_leaves_nothing(stage: Stage, number: signal.Signals, code: int) -> None:
    """Ctrl-C and SIGTERM end the workers and remove the session."""
    program = stage.start(*SLOW)
    workers = at_work(stage, program)
    program.process.send_signal(number)
    assert program.wait() == code
    assert not [one for one in workers if one.alive]
    assert stage.exchange.call(ListSessions()) == ()


def test_workers_do_not_outlive_a_killed_desk(stage: Stage) -> None:
    """Even kill -9 of the coordinator leaves no worker behind."""
    program = stage.start(*SLOW)
    workers = at_work(stage, program)
    program.kill()
    wait_until(lambda: not [one for one in workers if one.alive], 60)


def test_a_desk_without_workers_says_so(stage: Stage) -> None:
    """When all workers have died it ends with an error instead of waiting."""
    program = stage.start(*SLOW)
    for one in at_work(stage, program):
        os.kill(one.pid, signal.SIGKILL)
    assert program.wait() == 1
    assert "3 workers have ended" in program.errors


def test_time_runs_out(stage: Stage) -> None:
    """A desk that does not finish in its time ends with an error that says what to do."""
    program = stage.start(*SLOW, "--timeout", "1")
    assert program.wait() == 1
    assert "--timeout" in program.errors
    assert stage.exchange.call(ListSessions()) == ()


def test_the_summary_is_json() -> None:
    """A result turns into the object that `--json` prints."""
    from lion_broker.demo.audit import Audit

    result = Result("# R", "s", Audit(3, 0, 0), 1, 2, 1.0, 1.234, (), kept=False)
    assert json.loads(json.dumps(result.summary()))["seconds"] == 1.23
    assert result.kept_its_promise
