"""A contest is interleaved and fair: who fails is named and left out, and our own failure ends it."""

import math
from types import SimpleNamespace
from typing import Any

import pytest

from tests.benchmarks import telemetry
from tests.benchmarks.contest import Contest, Round, Sample
from tests.benchmarks.drain import beside_fastest, share_of
from tests.benchmarks.peers.driver import Failed
from tests.benchmarks.peers.environment import requirements
from tests.benchmarks.peers.table import HOP, OURS, PEERS, QUICK, Contender, Kind
from tests.benchmarks.rig import WrongResult

PEER, OTHER = PEERS[:2]
PINNED = sorted({one.environment for one in PEERS} | {"lion", "picture"})


def contest(*contenders: Contender, rounds: int = 3) -> Contest:
    """A contest on a server of which only the clearing is used."""
    rig: Any = SimpleNamespace(raw=SimpleNamespace(flushall=lambda: None))
    return Contest(rig, contenders, rounds)


def test_rounds_are_interleaved_and_medians_are_taken() -> None:
    """Everybody has its turn before anybody has the next one; the median of the turns counts, all are kept."""
    turns: list[str] = []
    rates = {OURS.name: iter([30.0, 10.0, 20.0]), PEER.name: iter([1.0, 2.0, 9.0])}

    def work(turn: Round) -> Sample:
        turns.append(turn.contender.name)
        return {"rate": next(rates[turn.contender.name])}

    ours, peer = contest(OURS, PEER).run(work)
    assert turns == [OURS.name, PEER.name] * 3
    assert (ours.median("rate"), peer.median("rate")) == (20.0, 2.0)
    figure = ours.figure("P1", "work", "rate", "items/s", "at least 25", at_least=25)
    assert (figure.who, figure.samples, figure.met) == (OURS.name, (30.0, 10.0, 20.0), False)


def test_telemetry_is_compared_round_by_round() -> None:
    """A round in which the machine is slow counts no more than another; what nobody watches shows the noise."""
    factors = {"none": 1.0, "again": 1.01, "otel": 1.05, "prometheus": 1.2}
    samples = {watch: [20.0 * factor * machine for machine in (1.0, 5.0, 2.0)] for watch, factor in factors.items()}
    first, *found, spread = telemetry.ratios("P1, worker's CPU", samples)
    assert (first.value, first.unit) == (40.0, "µs/item")
    assert [(round(one.value, 3), one.met) for one in found] == [(1.01, None), (1.05, True), (1.2, False)]
    assert round(spread.value, 3) == 0.0


def test_every_turn_has_a_queue_of_its_own() -> None:
    """What one turn has left behind is not in the way of another."""
    queues: list[str] = []

    def work(turn: Round) -> Sample:
        queues.append(turn.queue)
        return {}

    contest(OURS, PEER).run(work)
    assert len(set(queues)) == 6


def test_a_peer_that_fails_is_named_and_tried_no_further(capsys: pytest.CaptureFixture[str]) -> None:
    """Its row has the reason and no value, even when an earlier turn went well."""
    turns: list[str] = []

    def work(turn: Round) -> Sample:
        turns.append(turn.contender.name)
        if turn.contender is PEER and turns.count(PEER.name) == 2:
            raise Failed("ImportError: no such thing")
        return {"rate": 1.0}

    _, peer = contest(OURS, PEER).run(work)
    assert turns.count(PEER.name) == 2
    figure = peer.figure("P1", "work", "rate", "items/s")
    assert (figure.error, figure.samples, math.isnan(figure.value)) == ("ImportError: no such thing", (), True)
    assert "ImportError" in capsys.readouterr().err


def test_a_wrong_result_of_ours_ends_the_run() -> None:
    """When mail is missing, nothing that was measured is worth anything."""

    def work(turn: Round) -> Sample:
        raise Failed("99 of 100 mails were applied")

    with pytest.raises(WrongResult, match="99 of 100"):
        contest(OURS, PEER).run(work)


def test_only_brokers_with_a_handler_per_item_are_the_fastest_peer() -> None:
    """Neither a batch handler, nor what is in memory only, nor the bare hop; and failures do not count."""
    in_memory = next(one for one in PEERS if one.kind is Kind.MEMORY)
    in_batches = next(one for one in PEERS if one.kind is Kind.BATCH)
    rates = {OURS: 80.0, HOP: 100.0, in_batches: 90.0, in_memory: 70.0, PEER: 8.0, OTHER: 10.0}

    def work(turn: Round) -> Sample:
        return {"rate": rates[turn.contender]}

    figure = beside_fastest("P1", "drained", contest(*rates).run(work), "rate", 8)
    assert (figure.value, figure.work, figure.met) == (8.0, f"drained / fastest peer ({OTHER.name})", True)


def test_without_peers_there_is_nothing_to_beat() -> None:
    """The ratio says so instead of a number."""
    figure = beside_fastest("P1", "drained", contest(OURS, HOP).run(lambda _: {"rate": 1.0}), "rate", 8)
    assert (figure.error, figure.met) == ("no peer was measured", None)


def test_everybody_is_somebody() -> None:
    """Names are not used twice, the quick form has peers, and each gets whole hundreds of items."""
    everybody = [OURS, HOP, *PEERS]
    assert len({one.name for one in everybody}) == len(everybody)
    assert set(QUICK) < set(PEERS)
    assert [share_of(one, 20_000) % 100 for one in everybody] == [0] * len(everybody)


@pytest.mark.parametrize("name", PINNED)
def test_packages_are_pinned(name: str) -> None:
    """Each environment has a file with one exact version a line, and nothing that says where it comes from."""
    lines = requirements(name).read_text().splitlines()
    assert lines
    assert [line for line in lines if line.count("==") != 1 or {*" @:/;#"} & {*line}] == []


def test_every_file_of_packages_is_used() -> None:
    """No environment is left over."""
    assert sorted(path.stem for path in requirements("any").parent.iterdir()) == PINNED
