"""The metrics of a namespace: sums, bounds, and what is shown while the server does not answer."""

from collections.abc import Sequence
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from lion_broker import BrokerUnavailable, Session
from lion_broker.insight.metrics import NamespaceMetrics
from lion_broker.mail.memory import MemoryExchange
from lion_broker.mail.verbs import Verb

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples(text: bytes) -> Samples:
    """The samples of a scrape by name and labels."""
    families = text_string_to_metric_families(text.decode())
    return {(one.name, frozenset(one.labels.items())): one.value for family in families for one in family.samples}


def named(found: Samples, name: str) -> dict[frozenset[tuple[str, str]], float]:
    """The samples of one name by their labels."""
    return {labels: value for (sample, labels), value in found.items() if sample == name}


class Counting(MemoryExchange):
    """Counts calls, and is away when it is told to be."""

    def __init__(self) -> None:
        super().__init__()
        self.calls, self.away = 0, False

    def call_all(self, verbs: Sequence[Verb[Any]], /) -> list[Any]:
        """Do the verbs."""
        self.calls += 1
        if self.away:
            raise BrokerUnavailable("away")
        return super().call_all(verbs)


def test_a_namespace_adds_up() -> None:
    """Mail in mailboxes, branches that wait for a worker, sessions and branches."""
    exchange = MemoryExchange()
    with Session(exchange=exchange, delivery="auto") as session:
        branches = [session.new_branch(name=name, pool="p") for name in ("ada", "ben")]
        for _ in range(3):
            session.default_branch.send(branches[0], "message", "hello")
        found = samples(NamespaceMetrics(exchange).text())
        pool = frozenset({("pool", "p")})
        assert named(found, "lion_broker_mailbox_depth") == {frozenset(): 3.0}
        assert named(found, "lion_broker_mailbox_lag") == {pool: 1.0}
        assert named(found, "lion_broker_mailbox_pending") == {pool: 0.0}
        assert named(found, "lion_broker_mailbox_oldest_seconds").keys() == {pool}
        assert named(found, "lion_broker_dlq_depth") == {frozenset(): 0.0}
        assert named(found, "lion_broker_sessions_open") == {frozenset(): 1.0}
        assert named(found, "lion_broker_branches_open") == {frozenset(): 3.0}


def test_branches_are_shown_one_by_one_only_when_wanted() -> None:
    """With session and branch as labels; what is not shown stands under `other`."""
    exchange = MemoryExchange()
    with Session(exchange=exchange, delivery="auto") as session:
        ada, ben = (session.new_branch(name=name, pool="p") for name in ("ada", "ben"))
        session.default_branch.send(ada, "message", "hello")
        session.default_branch.send(ben, "message", "hello")
        session.default_branch.send(ben, "message", "hello")
        found = samples(NamespaceMetrics(exchange, per_branch=True).text())
        depths = {dict(labels)["branch"]: value for labels, value in named(found, "lion_broker_mailbox_depth").items()}
        assert depths == {str(ada.id): 1.0, str(ben.id): 2.0, "other": 0.0}


def test_many_scrapes_are_one_look() -> None:
    """However many ask, the server is asked anew only when what it has said is old."""
    exchange, now = Counting(), [100.0]
    metrics = NamespaceMetrics(exchange, fresh=5, clock=lambda: now[0])
    metrics.text()
    once = exchange.calls
    now[0] += 4.9
    metrics.text()
    assert exchange.calls == once > 0
    now[0] += 0.2
    metrics.text()
    assert exchange.calls == 2 * once


@pytest.mark.anyio
async def test_a_server_that_is_away_leaves_the_process_to_be_seen() -> None:
    """What it keeps is left out; the scrape is answered all the same."""
    exchange = Counting()
    exchange.away = True
    found = samples(await NamespaceMetrics(exchange).atext())
    assert not named(found, "lion_broker_sessions_open")
    assert named(found, "lion_broker_build_info")
