"""Each mutant of the code is caught by the test that its table names, and that test holds on the true code."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest

from lion_broker.broker import exchange as broker_exchange
from lion_broker.broker import namespace as broker_namespace
from lion_broker.broker import server_steps
from lion_broker.broker.exchange import RedisExchange
from lion_broker.broker.keys import Keys
from lion_broker.mail.exchange import Exchange
from lion_broker.mail.memory import MemoryExchange
from lion_broker.mail.memory import deployment as memory_deployment
from lion_broker.mail.memory import exchange as memory_exchange
from lion_broker.mail.memory import reads as memory_reads
from lion_broker.mail.memory import roster as memory_roster
from lion_broker.mail.memory import store as memory_store
from lion_broker.mail.verbs import ListSessions
from tests.conformance.conftest import redis7_server as redis7_server
from tests.conformance.conftest import valkey_server as valkey_server
from tests.conformance.road import Road
from tests.conformance.servers import SECRET, Server
from tests.mutants.mutant import MUTANTS, Mutant, in_library, in_module
from tests.mutants.rig import Rig
from tests.mutants.tables import README, listed
from tests.mutants.trial import CAUGHT, Trial, impatient

EVERY = [mutant for table in MUTANTS.values() for mutant in table]
ON_SERVERS = [mutant for mutant in EVERY if "mail.memory" not in mutant.where]
IN_PROCESS = [mutant for mutant in EVERY if "mail.memory" in mutant.where]
TRIALS = sorted({mutant.caught_by for mutant in EVERY})
SCENARIOS = [name for name in TRIALS if name.startswith("scenarios")]


@contextmanager
def opened(server: Server) -> Iterator[tuple[Exchange, Callable[[], Rig]]]:
    """An exchange on a server, and what makes a rig of it."""
    namespace = f"ns-{uuid4().hex}"
    with RedisExchange(server.url, SECRET, namespace=namespace) as exchange:
        yield exchange, lambda: Rig(exchange, server.client, Keys(namespace), Road(exchange).open())
    server.empty()


def seed(patch: pytest.MonkeyPatch, mutant: Mutant) -> None:
    """Put a mutant in the place of what it was made of, for exchanges that are opened from now on."""
    if mutant.where.endswith(".lua"):
        library = in_library(mutant)
        for module in (broker_namespace, broker_exchange):
            patch.setattr(module, "library", lambda: library)
        return
    changed = in_module(mutant)
    for module, tables in ((server_steps, ("FUNCTIONS", "READS")), (memory_exchange, ("_CHANGES", "_READS"))):
        for name in tables:
            table: dict[Any, Any] = getattr(module, name)
            own = {
                kind: getattr(changed, act.__name__) for kind, act in table.items() if act.__module__ == mutant.where
            }
            patch.setattr(module, name, {**table, **own})
    if mutant.where.endswith(".blobs"):
        patch.setattr(broker_exchange, "put", changed.put)
    if mutant.where.endswith(".store"):
        patch.setattr(memory_exchange, "Store", changed.Store)
    if mutant.where.endswith(".pool"):
        for module in (memory_deployment, memory_reads, memory_roster, memory_store):
            patch.setattr(module, "Pool", changed.Pool)


@pytest.mark.redis
@pytest.mark.parametrize("mutant", ON_SERVERS, ids=lambda mutant: mutant.name)
def test_each_mutant_of_the_functions_is_caught(
    valkey_server: Server, monkeypatch: pytest.MonkeyPatch, mutant: Mutant
) -> None:
    """The test that the table names fails on the mutant."""
    trial = Trial(mutant.caught_by)
    impatient(monkeypatch, trial)
    seed(monkeypatch, mutant)
    with opened(valkey_server) as (exchange, make_rig):
        assert exchange.call(ListSessions()) == (), "the library with the mutant does not load"
        with pytest.raises(CAUGHT):
            trial.run(exchange, make_rig)


@pytest.mark.parametrize("mutant", IN_PROCESS, ids=lambda mutant: mutant.name)
def test_each_mutant_in_process_is_caught(monkeypatch: pytest.MonkeyPatch, mutant: Mutant) -> None:
    """The exchange without a server is watched by the same tests."""
    trial = Trial(mutant.caught_by)
    impatient(monkeypatch, trial)
    seed(monkeypatch, mutant)
    with pytest.raises(CAUGHT):
        trial.run(MemoryExchange())


@pytest.mark.redis
@pytest.mark.parametrize("name", TRIALS)
def test_what_catches_them_holds_on_the_true_code(valkey_server: Server, name: str) -> None:
    """No test catches a mutant by failing on everything, or for the sake of how it is run here."""
    with opened(valkey_server) as (exchange, make_rig):
        Trial(name).run(exchange, make_rig)


@pytest.mark.redis
@pytest.mark.debian
@pytest.mark.parametrize("name", SCENARIOS)
def test_scenarios_hold_on_the_other_server(redis7_server: Server, name: str) -> None:
    """Harm from outside of the port is met in the same way by Debian's redis-server."""
    with opened(redis7_server) as (exchange, make_rig):
        Trial(name).run(exchange, make_rig)


def test_no_two_mutants_are_the_same() -> None:
    """Names and changes are unique."""
    assert len({mutant.name for mutant in EVERY}) == len(EVERY)
    assert len({(mutant.where, mutant.old, mutant.new) for mutant in EVERY}) == len(EVERY)


def test_the_list_names_them_all() -> None:
    """README has each mutant with what catches it; python -m tests.mutants writes it."""
    text = README.read_text()
    assert listed(text) == text
