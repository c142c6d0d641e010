"""The short form of `scripts/chaos`: one wave of everything at once, and what its command line means."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.chaos.__main__ import GATE, SHORT, plan_of
from tests.chaos.checker import Findings
from tests.chaos.report import markdown, values, write
from tests.chaos.storm import FAULTS, Plan, Result, storm


@pytest.mark.redis
@pytest.mark.processes
@pytest.mark.chaos
@pytest.mark.timeout(300)
def test_the_short_form() -> None:
    """Nothing is lost, done twice or out of order, and every fault that was planned has met something."""
    said: list[str] = []
    result = storm(plan_of([])[0], said.append)
    assert result.passed, "\n".join([*said, markdown(result)])
    assert result.findings.counts["mails acked"] >= SHORT.mails * 0.9
    assert result.findings.counts["redelivered"] > 0


def test_the_gate_is_as_long_as_it_is_said_to_be() -> None:
    """A thousand kills of workers, fifty of the server, five hundred zombies, two hundred cuts, 100,000 mails."""
    plan, options = plan_of(["--gate", "--seed", "7"])
    assert options.gate
    numbers = (plan.worker_kills, plan.server_kills, plan.zombies, plan.cuts, plan.mails)
    assert numbers == (1_000, 50, 500, 200, 100_000)
    assert asdict(plan) == {**asdict(GATE), "seed": 7}


def test_every_number_can_be_scaled() -> None:
    """All of them by one factor, or each by its own option; none becomes zero by a factor."""
    plan, _ = plan_of(["--gate", "--scale", "0.01", "--cuts", "17", "--waves", "3"])
    assert (plan.worker_kills, plan.server_kills, plan.cuts, plan.waves) == (10, 1, 17, 3)


@pytest.mark.parametrize("waves", [1, 3, 7, 20])
def test_the_waves_share_a_plan(waves: int) -> None:
    """The sum over all waves is the plan."""
    plan = Plan(**{**asdict(GATE), "waves": waves})
    shares = [plan.share(wave) for wave in range(waves)]
    for name in ("mails", *FAULTS):
        assert sum(getattr(share, name) for share in shares) == getattr(plan, name)


def finished(**found: list[str]) -> Result:
    """The result of a storm that has injected what was planned."""
    injected = Counter({name: getattr(SHORT, name) for name in FAULTS})
    return Result(SHORT, injected, Findings(**found, counts=Counter({"mails acked": 12})), waves=1, server="valkey 9")


def test_a_report_of_success(tmp_path: Path) -> None:
    """As a page and as JSON, with seed, versions and counts."""
    result = finished()
    assert result.passed
    write(result, tmp_path / "deep" / "down")
    told = json.loads((tmp_path / "deep" / "down" / "chaos.json").read_text())
    assert told == json.loads(json.dumps(values(result)))
    assert (told["passed"], told["seed"], told["counts"]) == (True, 0, {"mails acked": 12})
    assert set(told["versions"]) == {"lion-broker", "server", "redis-py", "python", "platform"}
    assert (tmp_path / "deep" / "down" / "chaos.md").read_text().startswith("# Chaos: passed\n")


@pytest.mark.parametrize("kind", ["lost", "doubled", "reordered", "unsent", "gaps", "shared", "odd"])
def test_a_report_of_failure(kind: str) -> None:
    """One finding of any kind is enough, and is named."""
    result = finished(**{kind: ["ears ada:7"]})
    assert not result.passed
    page = markdown(result)
    assert page.startswith("# Chaos: FAILED\n")
    assert f"## {kind}\n\n- ears ada:7\n" in page


@pytest.mark.parametrize("name", FAULTS)
def test_a_storm_without_a_fault_is_no_pass(name: str) -> None:
    """Fewer faults than planned, of any kind, is a failure."""
    result = finished()
    result.injected[name] -= 1
    assert not result.passed
    assert result.short == [f"{name}: {getattr(SHORT, name) - 1} of {getattr(SHORT, name)}"]
