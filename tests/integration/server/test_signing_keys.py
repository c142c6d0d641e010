"""A namespace remembers the keys that sign in it: who has another one is told so before any mail is touched."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from lion_broker import ConfigError, Session, SignatureInvalid
from lion_broker.broker.exchange import RedisExchange
from lion_broker.errors import SigningKeyUnknown
from lion_broker.mail.verbs import ListSessions, ReadReady
from lion_broker.testing import wait_until
from tests.stage import Stage

pytestmark = pytest.mark.redis

OLD, NEW, OTHER = (secrets.token_bytes(32) for _ in range(3))


class Programs:
    """Programs with keys of their own, one after the other in one namespace."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._namespace = f"{stage.environ['LION_BROKER_NAMESPACE']}-keys"
        self._started: list[RedisExchange] = []

    @property
    def socket(self) -> Path:
        """Where the server is."""
        return self._stage.exchange._lease.server.socket

    def start(self, secret: bytes | None, *previous: bytes, begins_signing: bool = False) -> RedisExchange:
        """One that has just been started and has not spoken to the server yet."""
        exchange = RedisExchange(
            f"unix://{self.socket}",
            secret,
            previous=previous,
            namespace=self._namespace,
            begins_signing=begins_signing,
        )
        self._started.append(exchange)
        return exchange

    def forget(self) -> None:
        """Make the namespace one of before keys were remembered."""
        assert self._stage.server.client.hdel(f"lion:{{{self._namespace}:0}}:meta", "keys") == 1

    def close(self) -> None:
        """End all of them."""
        for exchange in self._started:
            exchange.close()


@pytest.fixture
def programs(stage: Stage) -> Iterator[Programs]:
    """Programs on the suite's server."""
    programs = Programs(stage)
    yield programs
    programs.close()


def opens(exchange: RedisExchange) -> bool:
    """Whether a program may begin."""
    try:
        exchange.call(ListSessions())
    except SigningKeyUnknown:
        return False
    return True


def test_a_program_with_another_key_is_refused(programs: Programs) -> None:
    """By its first verb, with both key ids and what to do; waiting mail is where it was."""
    good = programs.start(OLD)
    with Session(exchange=good, delivery="auto") as session:
        remote = session.new_branch(name="remote", pool="p")
        session.default_branch.send(remote, "message", "precious")
        with pytest.raises(
            SignatureInvalid, match=r"signed with the key [0-9a-f]{8}, .*LION_BROKER_SECRET_PREVIOUS"
        ) as (caught):
            programs.start(OTHER).call(ReadReady("p", "somebody", 10))
        with pytest.raises(ConfigError):
            Session.open(session.id, exchange=programs.start(OTHER))
        assert "sha" not in str(caught.value)
        assert remote.record.waiting == 1
        assert session.dead_letters == []


@pytest.mark.anyio
async def test_the_same_without_blocking(programs: Programs) -> None:
    """An event loop sees the same error."""
    assert opens(programs.start(OLD))
    exchange = programs.start(OTHER)
    with pytest.raises(SigningKeyUnknown):
        await exchange.acall(ListSessions())
    await exchange.aclose()


def test_a_key_is_changed_in_three_steps(programs: Programs) -> None:
    """Each step beside the one before; whoever was left out is told so and reads nothing that he cannot verify."""
    assert opens(programs.start(OLD))
    assert opens(programs.start(OLD, NEW))
    assert opens(programs.start(NEW, OLD))
    assert opens(programs.start(OLD, NEW))
    assert not opens(programs.start(OLD))
    assert opens(programs.start(NEW))
    assert not opens(programs.start(OTHER, OLD))


def test_a_new_key_without_the_old_one_is_another_key(programs: Programs) -> None:
    """A change that leaves out the steps would bury all mail that waits."""
    assert opens(programs.start(OLD))
    assert not opens(programs.start(NEW))
    assert opens(programs.start(OLD))


def test_no_key_where_mail_is_signed(programs: Programs) -> None:
    """Leaving mail unsigned is for namespaces without a key; it takes the key from none."""
    assert opens(programs.start(OLD))
    with pytest.raises(SigningKeyUnknown, match=r"it has: none"):
        programs.start(None).call(ListSessions())
    assert not opens(programs.start(None, begins_signing=True))


def test_a_namespace_begins_to_sign(programs: Programs) -> None:
    """Only when that is asked for, and from then on for all."""
    assert opens(programs.start(None))
    assert opens(programs.start(None))
    with pytest.raises(SigningKeyUnknown, match=r"LION_BROKER_INSECURE=1 beside"):
        programs.start(NEW).call(ListSessions())
    assert opens(programs.start(NEW, begins_signing=True))
    assert opens(programs.start(NEW))
    assert not opens(programs.start(None))


def test_a_namespace_of_before(programs: Programs) -> None:
    """Where no key is remembered yet, the first program's is."""
    assert opens(programs.start(OLD))
    programs.forget()
    assert opens(programs.start(NEW))
    assert not opens(programs.start(OLD))


def test_the_secret_of_the_data_directory_is_gone(own_stage: Stage) -> None:
    """The error names the file; with the file put back everything is as it was."""
    with Session(exchange=own_stage.exchange, delivery="auto") as session:
        remote = session.new_branch(name="remote", pool="p")
        session.default_branch.send(remote, "message", "precious")
        path = Path(own_stage.environ["LION_BROKER_DATA_DIR"], "secret")
        kept = path.read_text()
        path.unlink()
        with pytest.raises(SigningKeyUnknown, match=r"The file \S+/secret was deleted or changed: put"):
            Session.open(session.id, exchange=own_stage.connect())
        path.write_text(kept)
        with Session.open(session.id, exchange=own_stage.connect()) as again:
            assert again.branches["remote"].record.waiting == 1
            assert again.dead_letters == []


@pytest.mark.processes
def test_a_worker_with_another_key(stage: Stage) -> None:
    """It ends with one sentence, exit code 2, and nothing claimed; a worker with the right key does the work."""
    with Session(exchange=stage.exchange, delivery="auto") as session:
        remote = session.new_branch(name="remote", pool="p", behaviour="echo")
        session.default_branch.send(remote, "message", "hello")
        socket = stage.exchange._lease.server.socket
        stranger = stage.worker(pool="p", LION_BROKER_URL=f"unix://{socket}", LION_BROKER_SECRET="x" * 32)
        assert stranger.wait() == 2
        assert "Error: Mail in the namespace" in stranger.errors
        assert "Traceback" not in stranger.errors
        stage.worker(pool="p")
        wait_until(lambda: session.counters()["applied"] == 1)
        assert session.dead_letters == []
