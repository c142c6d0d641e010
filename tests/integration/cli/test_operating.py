"""`status`, `drain` and `scale` beside real worker processes: what an operator sees, and what becomes of it."""

from __future__ import annotations

import signal
from importlib.metadata import version
from pathlib import Path

import pytest

from lion_broker import Session
from lion_broker.__main__ import main
from lion_broker.cli.exits import Code
from lion_broker.mail.verbs import ReadAudit, ReadWaiting
from lion_broker.mail.waiting import WaitsAt
from lion_broker.mail.wire import WireMail
from lion_broker.testing import wait_until
from tests.faults.place import own_site
from tests.integration.cli.conftest import Told
from tests.ledger import Ledger
from tests.stage import Program, Stage

pytestmark = [pytest.mark.redis, pytest.mark.processes]


LEASE = 5.0
"""Seconds after which a worker that is not heard counts as lost; a busy machine lets one wait for less."""


def states(told: Told) -> dict[str, str]:
    """What status says of each worker."""
    return {worker["owner"]: worker["state"] for worker in told("status")["workers"]}


def test_a_killed_worker_is_lost_and_the_others_are_not(stage: Stage, told: Told) -> None:
    """`status` says who lives; one that has stopped by itself is told from one that is dead."""
    owners = [program.ready() for program in (stage.worker(pool="p"), stage.worker(pool="p"), stage.worker(pool="p"))]
    wait_until(lambda: states(told) == dict.fromkeys(owners, "running"))
    stage.programs[0].kill()
    assert stage.programs[1].stop() == 0
    wait_until(lambda: states(told) == dict(zip(owners, ("lost", "stopped", "running"), strict=True)))
    wait_until(
        lambda: [(one["pool"], one["workers"], one["wanted"]) for one in told("status")["pools"]] == [("p", 1, None)]
    )


def test_a_lost_worker_is_told_of_until_it_is_forgotten(
    stage: Stage, session: Session, told: Told, capsys: pytest.CaptureFixture[str]
) -> None:
    """With what has become of what it had; who is at work is not forgotten, and neither is anybody by half a name."""
    # The one that lives is not to be taken for lost as well.
    started = (stage.worker(pool="p"), stage.worker(pool="p", lease=60), stage.worker(pool="q"))
    owners = [program.ready() for program in started]
    wait_until(lambda: states(told) == dict.fromkeys(owners, "running"))
    for program in (stage.programs[0], stage.programs[2]):
        program.kill()
    wait_until(lambda: list(states(told).values()).count("lost") == 2)
    assert main(["status", "--fail-if-lost"]) == Code.ALARM
    text = capsys.readouterr()
    assert "2 workers were lost, last heard " in text.out
    assert "nothing of what was in hand is left to do; once you know of it: lion-broker forget --all" in text.out
    assert "`lion-broker forget --all` ends this alarm" in text.err
    assert main(["forget", owners[1]]) == Code.NOT_FOUND
    assert f"is running: `lion-broker drain {owners[1]}`" in capsys.readouterr().err
    assert main(["forget", owners[0][:1]]) == Code.NOT_FOUND
    assert "give more of the name" in capsys.readouterr().err
    assert main(["forget", "nobody"]) == Code.NOT_FOUND
    assert main(["forget"]) == main(["forget", owners[0], "--all"]) == Code.USAGE
    assert told("forget", owners[2][:-1]) == {"forgotten": [owners[2]]}
    wait_until(lambda: states(told) == {owners[0]: "lost", owners[1]: "running"})
    assert main(["status"]) == Code.OK
    text = capsys.readouterr()
    assert f"The worker {owners[0]} was lost, last heard " in text.out
    assert f"is left to do; once you know of it: lion-broker forget {owners[0]}\n" in text.out
    assert told("forget", "--all") == {"forgotten": [owners[0]]}
    wait_until(lambda: states(told) == {owners[1]: "running"})
    assert told("forget", "--all") == {"forgotten": []}
    assert main(["status", "--fail-if-lost"]) == Code.OK
    acts = [act.what for act in stage.exchange.call(ReadAudit())]
    assert acts.count("forget workers") == 2


def test_status_counts_what_there_is(
    stage: Stage, session: Session, told: Told, capsys: pytest.CaptureFixture[str]
) -> None:
    """Mail, pools that nobody serves, the sessions with most to do; for people with the next step."""
    branch = session.new_branch(name="far", pool="p", behaviour="echo")
    for number in range(3):
        session.default_branch.send(branch, "message", str(number))
    seen = told("status")
    assert (seen["sessions"], seen["branches"], seen["waiting"], seen["workers"]) == (1, 2, 1, [])
    assert (seen["mail"]["posted"], seen["mail"]["inflight"], seen["rates"]) == (3, 3, None)
    assert [(one["session"], one["name"], one["inflight"]) for one in seen["busiest"]] == [(session.id, "mine", 3)]
    assert seen["server"]["namespace"] == stage.environ["LION_BROKER_NAMESPACE"]
    assert main(["status"]) == Code.OK
    text = capsys.readouterr().out
    assert "1 session, 2 branches: 3 mails posted, 0 applied, 3 in flight\n" in text
    assert "Nobody serves the pool p, where work waits: lion-broker worker --app MODULE:NAME --pool p\n" in text


def test_status_shows_mail_that_a_program_has_not_received(
    session: Session, told: Told, capsys: pytest.CaptureFixture[str]
) -> None:
    """No worker takes it, and no counter has it: from where it stands, with the command that lists it."""
    ada = session.new_branch(name="ada")
    session.default_branch.send(ada, "message", "when you have time")
    seen = told("status")
    assert (seen["mail"]["inflight"], seen["mail"]["unreceived"]) == (0, 1)
    assert [(one["name"], one["unreceived"]) for one in seen["busiest"]] == [("mine", 1)]
    assert main(["status"]) == Code.OK
    text = capsys.readouterr().out
    assert "0 in flight, 1 not received yet\n" in text
    assert "1 mail not received yet; a program's own branches have theirs when the program receives" in text
    ada.receive_all()
    session.flush()
    assert told("status")["mail"]["unreceived"] == 0


def test_who_is_drained_ends_its_turn_and_exits_with_0(
    stage: Stage, session: Session, told: Told, tmp_path: Path
) -> None:
    """The turn that goes on is committed, what waits behind it goes to the other worker, and nothing is done twice."""
    branch = session.new_branch(pool="p", behaviour="wait")
    for text in ("one", "two"):
        session.default_branch.send(branch, "message", text)
    first = stage.worker(pool="p", lease=LEASE, DESK=str(tmp_path))
    owner = first.ready()
    wait_until((tmp_path / "one.begun").exists)
    wait_until(lambda: owner in states(told))
    assert told("drain", owner[:-1]) == {"told": [owner], "stopped": [], "lost": [], "left": [owner]}
    wait_until(lambda: states(told)[owner] == "draining")
    second = stage.worker(pool="p", lease=LEASE, DESK=str(tmp_path))
    second.ready()
    (tmp_path / "go").touch()
    assert first.wait() == 0
    session.wait_idle()
    assert [message.content["instruction"] for message in branch.messages] == ["one", "two"]
    assert session.counters()["redelivered"] == 0
    assert states(told)[owner] == "stopped"
    told("drain", owner, code=Code.NOT_FOUND)


def test_a_fleet_is_drained_under_load_and_loses_nothing(stage: Stage, session: Session, told: Told) -> None:
    """Mail flows through two workers; both are drained, others take over, and each mail takes effect once."""
    sink = session.new_branch(name="sink", pool="p")
    hops = [session.new_branch(name=f"b{n}", pool="p", behaviour="forward", metadata={"to": sink.id}) for n in range(4)]
    old = stage.workers(2, pool="p", lease=LEASE)
    with session.batch():
        for number in range(120):
            session.default_branch.send(hops[number % 4], "message", f"home:{number}")
    wait_until(lambda: session.counters()["applied"] > 10)
    wait_until(lambda: len(states(told)) == 2)
    stage.workers(1, pool="p", lease=LEASE)
    done = told("drain", *("--pool", "p"), "--wait", "--timeout", "100")
    assert (len(done["told"]) >= 2, done["left"], done["lost"]) == (True, [], [])
    assert [program.wait() for program in old] == [0, 0]
    stage.workers(1, pool="p", lease=LEASE)
    session.wait_idle()
    ledger = Ledger.of(session.exchange, session.id)
    assert (len(ledger.effects), ledger.doubles(), ledger.gaps(), session.dead_letters) == (240, [], [], [])


def test_waiting_for_a_drain_ends_in_time(stage: Stage, session: Session, told: Told, tmp_path: Path) -> None:
    """A turn that does not end is exit code 7, and one whose worker dies meanwhile is 1; asking twice is no error."""
    branch = session.new_branch(pool="p", behaviour="wait")
    session.default_branch.send(branch, "message", "one")
    worker = stage.worker(pool="p", lease=LEASE, DESK=str(tmp_path))
    owner = worker.ready()
    wait_until((tmp_path / "one.begun").exists)
    wait_until(lambda: owner in states(told))
    for _ in range(2):
        assert told("drain", "--all", "--wait", "--timeout", "0", code=Code.UNFINISHED)["left"] == [owner]
    tired = stage.start("-m", "lion_broker", "drain", "--all", "--wait")
    wait_until(lambda: "waiting until" in tired.errors)
    tired.process.send_signal(signal.SIGINT)
    assert tired.wait() == Code.SIGNAL + signal.SIGINT
    assert "they drain all the same. `lion-broker status` shows" in tired.errors
    waiting = stage.start("-m", "lion_broker", "drain", "--all", "--wait", "--json")
    wait_until(lambda: "waiting until" in waiting.errors)
    worker.kill()
    assert waiting.told() == {"told": [owner], "stopped": [], "lost": [owner], "left": []}
    assert waiting.wait() == Code.ERROR


def test_workers_are_drained_by_their_version(stage: Stage, told: Told, capsys: pytest.CaptureFixture[str]) -> None:
    """Of all pools or of one; a version that nobody has is an error that names those that there are."""
    workers = {pool: stage.worker(pool=pool, lease=LEASE) for pool in ("p", "q")}
    owners = {pool: worker.ready() for pool, worker in workers.items()}
    wait_until(lambda: len(states(told)) == 2)
    assert main(["drain", "--version", "0.0.1"]) == Code.NOT_FOUND
    ours = version("lion-broker")
    assert f"No worker of version 0.0.1 is at work there; those that are have {ours}." in capsys.readouterr().err
    assert told("drain", "--version", ours, "--pool", "q", "--wait")["stopped"] == [owners["q"]]
    assert told("drain", "--version", ours, "--wait")["stopped"] == [owners["p"]]
    assert [worker.wait() for worker in workers.values()] == [0, 0]
    assert told("drain", "--version", ours, "--wait")["told"] == []


@pytest.mark.usefixtures("stage")
def test_nobody_to_drain(told: Told, capsys: pytest.CaptureFixture[str]) -> None:
    """All of none is nothing; a name that nobody has is an error that says where names are."""
    assert told("drain", "--all", "--wait") == {"told": [], "stopped": [], "lost": [], "left": []}
    assert main(["drain", "--pool", "p"]) == Code.OK
    said = capsys.readouterr()
    assert said.out.startswith("No worker of the pool p is at work at embedded://")
    assert main(["drain", "--all", "--wait"]) == Code.OK
    said = capsys.readouterr()
    assert said.out.startswith("No worker is at work at embedded://")
    assert said.out.endswith(
        ", so there is nobody to drain. `lion-broker status` shows the workers and pools that there are;"
        " `lion-broker up` or `lion-broker worker` starts workers.\n"
    )
    assert said.err == ""
    for name in ("nobody", ""):
        assert main(["drain", name]) == Code.NOT_FOUND
        assert "`lion-broker status` names those that there are." in capsys.readouterr().err


@pytest.mark.usefixtures("stage")
def test_scale_says_how_many_are_wanted(told: Told, capsys: pytest.CaptureFixture[str]) -> None:
    """The number stands at the server until somebody says another, or none."""
    assert told("scale") == []
    assert [(one["pool"], one["wanted"], one["workers"]) for one in told("scale", "p", "3")] == [("p", 3, 0)]
    assert [one["wanted"] for one in told("scale")] == [3]
    assert main(["scale", "p"]) == Code.OK
    assert capsys.readouterr().out.splitlines()[0].split() == [
        "POOL",
        "WORKERS",
        "WANTED",
        "READY",
        "CLAIMED",
        "OLDEST",
    ]
    assert main(["scale", "p", "1"]) == Code.OK
    assert capsys.readouterr().out == (
        "Each `up` that serves the pool p is to keep 1 worker."
        " Nobody serves it now: lion-broker up --app MODULE:NAME --pool p\n"
    )
    assert [one["wanted"] for one in told("scale", "p", "--forget")] == [None]
    assert main(["scale", "p", "--forget"]) == Code.OK
    assert "is not said any more" in capsys.readouterr().out
    assert told("scale") == []
    assert main(["scale", "a pool", "1"]) == Code.USAGE
    assert "POOL cannot be 'a pool'" in capsys.readouterr().err


def interrupt(program: Program) -> int:
    """Press Ctrl-C; returns the exit code."""
    program.process.send_signal(signal.SIGINT)
    return program.wait()


def test_watching_outlives_the_server(told: Told) -> None:
    """While no server answers each look says so; when it is back the figures go on, and Ctrl-C is a clean end."""
    with own_site() as site:
        environ = site.environ(LION_BROKER_PATIENCE="0.2")
        words = ("-m", "lion_broker", "status", "--watch", "--interval", "0.1", "--json")
        watching = site.start(*words, **environ)
        worker = site.worker(pool="p")
        owner = worker.ready()
        # A look in which the server did not answer in time is a line of its own.
        wait_until(lambda: [one["owner"] for one in watching.told().get("workers", ())] == [owner])
        wait_until(lambda: (watching.told().get("rates") or {}).get("applied") == 0)
        site.server.kill()
        wait_until(lambda: watching.told().get("error") == "BrokerUnavailable")
        site.server.start()
        wait_until(lambda: watching.told().get("sessions") == 0)
        assert interrupt(watching) == 0
        assert "Traceback" not in watching.errors


@pytest.mark.parametrize("which", [["desk"], []])
def test_a_tail_outlives_the_server(which: list[str]) -> None:
    """Of one session and of all: it goes on where it was, and tells nothing twice; with --until-idle it ends with 3."""
    with own_site() as site, Session(name="desk", exchange=site.connect(), delivery="auto") as session:
        branch = session.new_branch(name="far", pool="nobody")
        session.default_branch.send(branch, "message", "before")
        session.flush()
        environ = site.environ(LION_BROKER_PATIENCE="0.2")
        words = ("-m", "lion_broker", "tail", *which, "--since", "1h", "--json")
        tail = site.start(*words, **environ)
        sent = []

        def told() -> str:
            found = tail.told()
            if found["kind"] == "sent":
                sent.append(found["mail"])
            return str(found["kind"])

        wait_until(lambda: told() == "sent")
        site.server.kill()
        wait_until(lambda: "Looking again." in tail.errors)
        site.server.start()
        session.default_branch.send(branch, "message", "after")
        session.flush()
        wait_until(lambda: told() == "sent")
        assert interrupt(tail) == 0
        waits = session.exchange.call(ReadWaiting(str(session.id), str(branch.id), WaitsAt.MAILBOX))
        assert sent == [one.mail.id for one in waits if isinstance(one.mail, WireMail)]
        assert "Traceback" not in tail.errors


def test_watching_where_no_server_is_ends_at_once(stage: Stage) -> None:
    """A wrong URL is no server that is away for a while."""
    environ = {"LION_BROKER_URL": "redis://127.0.0.1:1", "LION_BROKER_INSECURE": "1", "LION_BROKER_PATIENCE": "0"}
    assert stage.start("-m", "lion_broker", "status", "--watch", **environ).wait() == Code.NO_SERVER


def test_watching_prints_text_where_there_is_no_terminal(stage: Stage) -> None:
    """One block of lines for each look; SIGTERM ends it as Ctrl-C does."""
    watching = stage.start("-m", "lion_broker", "status", "--watch", "--interval", "0.1")
    assert "profile dev" in watching.line()
    wait_until(lambda: "mails/s applied" in next_line(watching))
    assert watching.stop() == 0
    assert "\x1b" not in watching.errors


def next_line(program: Program) -> str:
    """The next line of a program's output, which may be an empty one."""
    assert program.process.stdout is not None
    return program.process.stdout.readline()
