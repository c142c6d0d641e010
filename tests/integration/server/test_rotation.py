"""A secret is changed under running processes, as docs/server.md says: no mail is lost, refused or read twice."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack

import pytest

from lion_broker import Session
from lion_broker.broker.connect import connect
from lion_broker.config import Settings
from lion_broker.testing import wait_until
from tests.conformance.servers import Server, find_bundled, running
from tests.stage import Program, Stage

pytestmark = [pytest.mark.redis, pytest.mark.processes]

OLDEST, OLD, NEW = (f"a secret of the year {year}" for year in (2023, 2024, 2025))

Keys = Sequence[str]
"""The secret that signs, then those that are accepted as well."""


@pytest.fixture
def server() -> Iterator[Server]:
    """A server of one's own."""
    with running(find_bundled()) as server:
        yield server


class Deployment:
    """Programs and workers on a server, each with the secrets that its environment had when it started."""

    def __init__(self, stage: Stage, server: Server) -> None:
        self._stage, self._server = stage, server
        self._said = 0

    def environ(self, keys: Keys) -> dict[str, str]:
        """What a process with these secrets has in its environment."""
        signing, *previous = keys
        named = {"LION_BROKER_URL": self._server.url, "LION_BROKER_SECRET": signing}
        return {**named, "LION_BROKER_SECRET_PREVIOUS": ",".join(previous)} if previous else named

    def worker(self, keys: Keys) -> Program:
        """Start a worker, which serves when this returns."""
        worker = self.start_worker(self.environ(keys))
        worker.ready()
        return worker

    def start_worker(self, environ: Mapping[str, str], pool: str = "p") -> Program:
        """Start a worker with an environment."""
        words = ("-m", "lion_broker", "worker", "--app", "tests.apps.desk:registry", "--pool", pool, "--json")
        return self._stage.start(*words, "--until-eof", **{"LION_BROKER_LEASE": "1", **environ})

    def settings(self, keys: Keys) -> Settings:
        """The settings of a program."""
        return Settings.load({**self._stage.environ, **self.environ(keys)})

    def open(self, stack: ExitStack, keys: Keys, session: str = "") -> Session:
        """Start a program that founds or takes up a session."""
        exchange = stack.enter_context(connect(settings=self.settings(keys)))
        if session:
            return stack.enter_context(Session.open(session, exchange=exchange, host=True))
        return stack.enter_context(Session(exchange=exchange, delivery="auto", timeout=100))

    def converse(self, session: Session, count: int = 20) -> None:
        """Have a program mail some branches and read their answers: as many as asked, none a dead letter."""
        remotes = [branch for branch in session.branches if branch.id != session.default_branch.id]
        for _ in range(count):
            self._said += 1
            session.default_branch.send(remotes[self._said % len(remotes)], "message", str(self._said))
        session.wait_idle()
        session.default_branch.receive_all()
        answers = sorted(int(message.instruction[3:]) for message in session.default_branch.messages)
        assert answers == list(range(1, self._said + 1))
        assert session.dead_letters == []


@pytest.fixture
def deployment(stage: Stage, server: Server) -> Deployment:
    """Programs and workers of a namespace."""
    return Deployment(stage, server)


STEPS: Sequence[Keys] = [(OLD,), (OLD, NEW), (NEW, OLD), (NEW,)]
LONG_WAY: Sequence[Keys] = [(OLDEST,), (OLDEST, OLD), (OLD, OLDEST), (OLD, OLDEST, NEW), (NEW, OLD, OLDEST), (NEW,)]


@pytest.mark.parametrize("steps", [STEPS, LONG_WAY], ids=["one", "two in a row"])
def test_a_secret_is_changed_while_all_run(deployment: Deployment, steps: Sequence[Keys]) -> None:
    """In each step old and new processes run side by side: first the workers change, then the programs."""
    with ExitStack() as ended:
        workers = [deployment.worker(steps[0])]
        program = ExitStack()
        ended.push(lambda *_: program.close())
        session = deployment.open(program, steps[0])
        for name in ("ann", "bob", "cat", "dan"):
            session.new_branch(name=name, pool="p", behaviour="echo")
        deployment.converse(session)
        for keys in steps[1:]:
            workers.append(deployment.worker(keys))
            deployment.converse(session)
            assert workers.pop(0).stop() == 0
            deployment.converse(session)
            session.wait_idle()
            program.close()
            session = deployment.open(program, keys, session.id)
            deployment.converse(session)
        assert workers[0].stop() == 0
        assert "bad_signature" not in workers[0].errors


def test_a_mail_that_waits_through_all_steps(deployment: Deployment) -> None:
    """Signed with the old secret, it is applied as long as that is accepted, and a dead letter with a reason after."""
    with ExitStack() as program:
        session = deployment.open(program, (OLD,))
        early = session.new_branch(name="early", pool="p", behaviour="echo")
        late = session.new_branch(name="late", pool="q", behaviour="echo")
        for branch in (early, late):
            session.default_branch.send(branch, "message", "1")
    for keys in STEPS[1:3]:
        with ExitStack() as program:
            deployment.open(program, keys, session.id)
    deployment.worker((NEW, OLD))
    with ExitStack() as program:
        session = deployment.open(program, (NEW, OLD), session.id)
        wait_until(lambda: session.counters()["applied"] >= 1)
        assert session.dead_letters == []
        deployment.start_worker(deployment.environ((NEW,)), pool="q")
        (letter,) = wait_until(lambda: session.dead_letters)
        assert (letter.reason, letter.branch) == ("bad_signature", late.id)
        assert "unknown key" in letter.detail


def test_who_was_left_out(deployment: Deployment) -> None:
    """A worker that missed a step ends before it takes any mail, with both ids and no secret in its log."""
    with ExitStack() as program:
        session = deployment.open(program, (NEW, OLD))
        branch = session.new_branch(name="ann", pool="p", behaviour="echo")
        session.default_branch.send(branch, "message", "1")
        late = deployment.start_worker(deployment.environ((OLD,)))
        assert late.wait() == 2
        assert "which this program does not have" in late.errors
        assert not any(secret in late.errors for secret in (OLD, NEW))
        assert (branch.record.waiting, session.dead_letters) == (1, [])
        deployment.worker((NEW,))
        session.wait_idle()
        assert session.counters()["applied"] >= 1


@pytest.mark.parametrize("insecure", ["", "1"])
def test_unsigned_only_when_asked_for(deployment: Deployment, insecure: str) -> None:
    """A worker without a secret ends at once; with the setting it serves, warns, and its log says what is unsigned."""
    environ = {**deployment.environ((OLD,)), "LION_BROKER_SECRET": "", "LION_BROKER_INSECURE": insecure}
    worker = deployment.start_worker(environ)
    if not insecure:
        assert worker.wait() == 2
        assert "must be signed" in worker.errors
        return
    worker.ready()
    assert worker.stop() == 0
    assert "is NOT signed" in worker.errors
    assert ", UNSIGNED)" in worker.errors
