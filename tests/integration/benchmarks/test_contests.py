"""Contests run with real programs on a real server: what they count is right, and a lost mail is seen."""

from collections.abc import Iterator

import pytest

from tests.benchmarks.__main__ import main
from tests.benchmarks.contest import Contest
from tests.benchmarks.drain import drain, relay
from tests.benchmarks.enqueue import enqueue
from tests.benchmarks.latency import latency
from tests.benchmarks.peers.driver import Failed, started
from tests.benchmarks.peers.table import HOP, OURS, Contender, Kind
from tests.benchmarks.rig import Figure, Rig, rig
from tests.benchmarks.works import DRAINED, MANY, RELAYED, SINGLE, STARTS_P50

pytestmark = [pytest.mark.redis, pytest.mark.processes]

ABSENT = Contender("absent", "absent", Kind.RAW)


@pytest.fixture(scope="module")
def server() -> Iterator[Rig]:
    """The server that benchmarks run on."""
    with rig() as found:
        yield found


def measured(figures: list[Figure], work: str) -> dict[str, bool]:
    """Who has a value for a work, and whether it is one; what it is says a clock."""
    return {figure.who: figure.value > 0 for figure in figures if figure.work == work}


def test_everybody_drains_and_answers(server: Rig) -> None:
    """Ours and the bare hop finish their items, a program that is not there is reported; versions are known."""
    contest = Contest(server, [OURS, HOP, ABSENT], rounds=1)
    figures = drain(contest, 200) + relay(contest, 200)
    for work in (DRAINED, RELAYED):
        assert measured(figures, work) == {OURS.name: True, HOP.name: True, ABSENT.name: False}
    assert all("No module named" in figure.error for figure in figures if figure.who == ABSENT.name)
    assert contest.about[OURS.name]["versions"]["lion-broker"]
    assert server.raw.dbsize() == 0


def test_everybody_is_fed_and_woken(server: Rig) -> None:
    """Items can be put in one by one and many at once, and single ones reach a handler in another process."""
    contest = Contest(server, [OURS, HOP], rounds=1)
    figures = enqueue(contest, 100, 200) + latency(contest, 100)
    for work in (SINGLE, MANY, STARTS_P50):
        assert measured(figures, work) == {OURS.name: True, HOP.name: True}


def test_mail_that_is_missing_is_seen(server: Rig) -> None:
    """The client counts what was applied; what the worker believes is not enough."""
    with started(OURS, f"unix://{server.socket}", server.environment()) as client:
        client.ask("open", queue="q", role="client", work="drain", items=10)
        client.ask("enqueue", items=10, bulk=True)
        assert client.ask("check")["wrong"] == "0 of 10 mails were applied"


def test_a_program_that_ends_says_why(server: Rig) -> None:
    """The last line of its stderr is the reason, whatever it was told."""
    with started(HOP, "unix:///nowhere", server.environment()) as peer, pytest.raises(Failed, match=r"nowhere|No such"):
        peer.ask("open", queue="q", role="worker", work="drain", items=10)


def test_a_benchmark_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slip of the hand measures nothing, and hears what there is; P9 and P11 come with another."""
    monkeypatch.setattr("sys.argv", ["scripts/bench", "--only", "P99,P9,P11"])
    with pytest.raises(SystemExit, match=r"called P99; there are P1, P2"):
        main()
