"""`up` and `down`, and `worker` with several processes: a whole deployment of real processes."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest

from lion_broker import Session
from lion_broker.__main__ import main
from lion_broker.cli.exits import Code
from lion_broker.testing import wait_until
from tests.integration.cli.conftest import Told
from tests.ledger import Ledger
from tests.stage import Program, Stage

pytestmark = [pytest.mark.redis, pytest.mark.processes]

APP = ("--app", "tests.apps.desk:registry")
LEASE = "5"
"""Seconds after which a worker that is not heard counts as lost; a busy machine lets one wait for less."""
GUARD = 60.0
"""Seconds after which an answer is taken not to come."""


def running(told: Told) -> set[int]:
    """The processes of the workers that run."""
    return {worker["pid"] for worker in told("status")["workers"] if worker["state"] == "running"}


def begin(stage: Stage, *words: str, **environ: str) -> tuple[Program, dict[str, Any]]:
    """Start `up`, and wait until it says that it is up."""
    program = stage.start("-m", "lion_broker", "up", *words, "--json", LION_BROKER_LEASE=LEASE, **environ)
    return program, program.told()


def test_up_serves_and_obeys_scale(stage: Stage, session: Session, told: Told) -> None:
    """Mail is handled; more and fewer workers come and go with nothing lost, and Ctrl-C is a clean end."""
    program, ready = begin(stage, *APP, "--pool", "p", "--workers", "1", "--no-dashboard")
    assert (ready["workers"], ready["dashboard"]) == ({"p": 1}, "")
    (first,) = running(told)
    sink = session.new_branch(name="sink", pool="p")
    hops = [session.new_branch(name=f"b{n}", pool="p", behaviour="forward", metadata={"to": sink.id}) for n in range(4)]
    with session.batch():
        for number in range(80):
            session.default_branch.send(hops[number % 4], "message", f"home:{number}")
    told("scale", "p", "3")
    wait_until(lambda: len(running(told)) == 3)
    told("scale", "p", "1")
    wait_until(lambda: running(told) == {first})
    session.wait_idle()
    ledger = Ledger.of(session.exchange, session.id)
    assert (len(ledger.effects), ledger.doubles(), ledger.gaps(), session.dead_letters) == (160, [], [], [])
    program.process.send_signal(signal.SIGINT)
    assert program.wait() == 0
    assert program.told() == {"event": "stopped"}
    assert (running(told), told("scale")) == (set(), [])


def test_a_killed_worker_is_replaced_and_a_drained_one_is_not(
    stage: Stage, told: Told, capsys: pytest.CaptureFixture[str]
) -> None:
    """`up` keeps the number that is wanted; whoever drains a worker wants one fewer."""
    program, _ = begin(stage, *APP, "--workers", "2", "--no-dashboard")
    before = running(told)
    os.kill(min(before), signal.SIGKILL)
    # Whoever drains while the register still takes it for running is told that it was lost.
    wait_until(lambda: len(now := running(told)) == 2 and min(before) not in now)
    assert told("drain", "--pool", "default", "--wait")["left"] == []
    wait_until(lambda: [one["wanted"] for one in told("scale")] == [0])
    # Who is to start them is there: nobody needs another `up`.
    assert main(["scale", "default", "1"]) == Code.OK
    said = capsys.readouterr().out
    assert said == (
        "Each `up` that serves the pool default is to keep 1 worker."
        f" The one of this machine (process {program.pid}) sees to it: lion-broker status\n"
    )
    wait_until(lambda: len(running(told)) == 1)
    assert program.stop() == 0


def test_one_that_comes_to_a_pool_with_workers_says_so(
    stage: Stage, told: Told, capsys: pytest.CaptureFixture[str]
) -> None:
    """How many there are and where, and that the number that it wants holds for every other `up`."""
    stage.worker(pool="p", lease=float(LEASE)).ready()
    wait_until(lambda: len(running(told)) == 1)
    assert main(["scale", "p", "3"]) == Code.OK
    assert capsys.readouterr().out == "Each `up` that serves the pool p is to keep 3 workers. 1 serves it now.\n"
    # It may be a slip, and is taken back.
    assert main(["scale", "pp", "3"]) == Code.OK
    assert "Nobody serves it now (pools with workers: p): lion-broker up" in capsys.readouterr().out
    told("scale", "pp", "--forget")
    program, _ = begin(stage, *APP, "--pool", "p", "--workers", "1", "--no-dashboard")
    assert f"pool p has workers already (1 on {socket.gethostname()}): this `up` starts 1 beside them" in program.errors
    assert "pool p: each `up` keeps 1 worker now; wanted before: 3" in program.errors
    assert program.stop() == 0


def test_up_on_its_own_until_down(stage: Stage, told: Told, capsys: pytest.CaptureFixture[str]) -> None:
    """`--detach` returns when everything serves, the dashboard too; a second one is refused, `down` may be repeated."""
    words = ("up", *APP, "--workers", "1", "--port", "0", "--detach")
    started = stage.start("-m", "lion_broker", *words, "--json", LION_BROKER_LEASE=LEASE)
    ready = started.told()
    assert started.wait() == 0
    try:
        assert len(running(told)) == 1
        assert ready["dashboard"].startswith("http://127.0.0.1:")
        address, _, token = ready["dashboard"].partition("login#")
        assert httpx.get(address, timeout=GUARD).status_code == 401
        assert httpx.get(address, headers={"Authorization": f"Bearer {token}"}, timeout=GUARD).status_code == 200
        assert token not in Path(ready["log"]).read_text()
        assert told("up", "--address") == {"dashboard": ready["dashboard"]}
        for file in Path(ready["log"]).parent.glob("up-*"):
            assert file.stat().st_mode & 0o077 == 0, file
        again = stage.start("-m", "lion_broker", *words)
        assert again.wait() == Code.ERROR
        assert f"It is up already (process {ready['pid']})" in again.errors
    finally:
        assert told("down") == {"stopped": True, "server_stopped": False}
    assert running(told) == set()
    assert told("down") == {"stopped": False, "server_stopped": False}
    assert "`lion-broker up` starts it" in told("up", "--address", code=Code.NOT_FOUND)["message"]
    assert main(["down"]) == Code.OK
    assert capsys.readouterr().out == "Nothing that `up` has started runs here.\n"


def test_down_waits_for_turns_and_a_second_one_drops_them(
    stage: Stage, session: Session, told: Told, tmp_path: Path
) -> None:
    """A turn that does not end is exit code 7 with the next step, which then works."""
    branch = session.new_branch(pool="p", behaviour="wait")
    session.default_branch.send(branch, "message", "one")
    program, _ = begin(stage, *APP, "--pool", "p", "--workers", "1", "--no-dashboard", DESK=str(tmp_path))
    wait_until((tmp_path / "one.begun").exists)
    assert "again drops them" in told("down", "--timeout", "0.1", code=Code.UNFINISHED)["message"]
    assert told("down") == {"stopped": True, "server_stopped": False}
    assert program.wait() == 143
    assert len(branch.messages) == 0


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--app", "tests.apps.desk:nothing"), Code.USAGE, "has no 'nothing'"),
        (("--url", "memory://"), Code.USAGE, "inside one process"),
        (("--pool", "a pool"), Code.USAGE, "--pool cannot be 'a pool'"),
    ],
)
@pytest.mark.parametrize("way", [(), ("--detach",)], ids=["here", "detached"])
def test_what_cannot_work_ends_at_once(
    stage: Stage, words: tuple[str, ...], code: int, said: str, way: tuple[str, ...]
) -> None:
    """Said once, before a worker starts, also when it was to run on its own; and nothing is left running."""
    program = stage.start("-m", "lion_broker", "up", "--no-dashboard", *words, *way)
    assert program.wait() == code
    assert program.errors.count(said) == 1
    assert "Traceback" not in program.errors
    assert main(["down"]) == Code.OK


@pytest.mark.parametrize(
    "words", [("up", "--no-dashboard"), ("worker", "--processes", "2")], ids=lambda words: words[0]
)
def test_a_registry_that_is_not_there_is_an_error_for_programs(stage: Stage, words: tuple[str, ...]) -> None:
    """An object, as any other error, and not only the lines of workers that could not begin."""
    program = stage.start("-m", "lion_broker", *words, "--app", "tests.apps.desk:nothing", "--json")
    assert program.wait() == Code.USAGE
    told = program.told()
    assert (told["error"], told["code"]) == ("ConfigError", Code.USAGE)
    assert "Give --app tests.apps.desk:registry." in told["message"]
    assert program.errors.count("has no 'nothing'") == 1


def test_a_taken_port_that_was_named_is_an_error(stage: Stage) -> None:
    """A port that somebody asked for is not replaced by another."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        program = stage.start("-m", "lion_broker", "up", *APP, "--workers", "1", "--port", port)
        assert program.wait(60) == Code.USAGE
    assert f"Nothing can listen at 127.0.0.1 port {port}" in program.errors


def test_several_processes_are_one_to_whoever_starts_them(stage: Stage, told: Told) -> None:
    """`worker --processes`: all serve, a killed one is replaced, and one SIGTERM ends them all with 0."""
    program = stage.worker("tests.apps.desk:registry", "p", "--processes", "2", lease=float(LEASE))
    owners = {program.ready(), program.ready()}
    assert len(owners) == 2
    wait_until(lambda: len(running(told)) == 2)
    victim = min(running(told))
    os.kill(victim, signal.SIGKILL)
    owners.add(program.ready())
    assert len(owners) == 3
    wait_until(lambda: len(running(told) - {victim}) == 2)
    assert program.stop() == 0
    assert [program.told()["event"] for _ in range(2)] == ["stopped", "stopped"]


def test_several_processes_end_when_nothing_is_left_to_do(stage: Stage, session: Session) -> None:
    """With `--until-idle` the last one to end ends the whole; a drained fleet would end the same way."""
    branch = session.new_branch(pool="p", behaviour="echo")
    for number in range(5):
        session.default_branch.send(branch, "message", str(number))
    program = stage.worker("tests.apps.desk:registry", "p", "--processes", "2", "--until-idle")
    assert program.wait() == 0
    assert len(branch.messages) == 5


def test_they_do_not_outlive_who_keeps_them(stage: Stage, told: Told) -> None:
    """A keeper that is killed takes its workers with it: they hand over and end."""
    program = stage.worker("tests.apps.desk:registry", "p", "--processes", "2")
    wait_until(lambda: len(running(told)) == 2)
    program.kill()
    wait_until(lambda: {worker["state"] for worker in told("status")["workers"]} == {"stopped"})


def test_a_changed_file_is_loaded_anew(stage: Stage, session: Session, tmp_path: Path) -> None:
    """`--reload`: a broken app is waited for, a changed one serves the next mail."""
    app = tmp_path / "fresh.py"
    text = (
        "from lion_broker import Registry\n\nregistry = Registry()\n\n\n@registry.behaviour('say')\n"
        "async def say(branch, mail):\n    branch.send(mail.sender, 'message', {!r})\n"
    )
    app.write_text("raise RuntimeError('not yet')\n")
    me, branch = session.default_branch, session.new_branch(pool="p", behaviour="say")
    program = stage.worker(
        "fresh:registry", "p", "--reload", PYTHONPATH=os.pathsep.join((str(tmp_path), os.environ.get("PYTHONPATH", "")))
    )
    assert program.told()["error"] == "ConfigError"
    wait_until(lambda: "another starts when a file changes" in program.errors)
    for word in ("one", "other"):
        app.write_text(text.format(word))
        wait_until(lambda: program.told()["event"] == "ready")
        me.send(branch, "message", "what do you say?")
        session.wait_idle()
        me.receive_all()
        assert me.messages[-1].text == word
    assert program.stop() == 0
