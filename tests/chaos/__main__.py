"""`scripts/chaos`: a storm of faults over real processes and a real server, and a judgement of what is left."""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
from pathlib import Path

from .report import markdown, write
from .storm import Plan, storm

__all__ = ["plan_of"]

SHORT = Plan(1_500, 12, 2, 6, 6, 6, 4, waves=1, seed=0)
GATE = Plan(100_000, 1_000, 50, 500, 200, 200, 150, waves=20, seed=0)
TIMES = 30
"""Workers that end, and as many that fall asleep, at each point of the road; after the storm of the long form."""
_NUMBERS = ("mails", "worker_kills", "server_kills", "zombies", "cuts", "dropped_answers", "program_kills", "waves")


def plan_of(arguments: list[str]) -> tuple[Plan, argparse.Namespace]:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="scripts/chaos", description=__doc__)
    parser.add_argument("--gate", action="store_true", help="the long form: a thousand kills, a hundred thousand mails")
    parser.add_argument("--scale", type=float, default=1.0, metavar="X", help="times all numbers, for example 0.1")
    parser.add_argument("--seed", type=int, default=None, help="of the dice that choose; the machine's chance stays")
    parser.add_argument("--report", type=Path, default=Path("build/chaos"), metavar="DIR", help="where the report goes")
    for name in _NUMBERS:
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=None, metavar="N")
    parser.add_argument("--workers", type=int, default=3, metavar="N", help="workers of each of the two pools")
    parser.add_argument(
        "--fsync",
        choices=("always", "everysec", "both"),
        default="always",
        help="when the server syncs; with everysec a kill loses what was acked while the disk was slow",
    )
    parser.add_argument("--no-points", action="store_true", help="with --gate: no crash points after the storm")
    options = parser.parse_args(arguments)
    base = GATE if options.gate else SHORT
    numbers = {name: getattr(options, name) for name in _NUMBERS}
    for name, given in numbers.items():
        if given is None:
            numbers[name] = max(1, round(getattr(base, name) * options.scale))
    seed = random.SystemRandom().randrange(2**32) if options.seed is None else options.seed
    return Plan(**numbers, seed=seed, workers=options.workers, lease=base.lease, fsync=options.fsync), options


def say(line: str) -> None:
    """Tell whoever watches."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _points(times: int) -> int:
    """Strike workers at each point of the road so many times; returns the exit code of the tests that do it."""
    say(f"\n{times} workers ended and {times} asleep at each point of the road:")
    words = [sys.executable, "-m", "pytest", "-q", str(Path(__file__).with_name("test_crash_points.py"))]
    return subprocess.run(words, env={**os.environ, "CHAOS_TIMES": str(times)}).returncode


def main() -> int:
    """Storm, report, and say by the exit code whether all is well."""
    plan, options = plan_of(sys.argv[1:])
    say(f"{plan}, on {os.cpu_count()} cores")
    result = storm(plan, say)
    if options.gate and not options.no_points:
        result.points = max(1, round(TIMES * options.scale))
        if _points(result.points):
            result.findings.odd.append("a crash point failed; its tests say how")
    write(result, options.report)
    say(f"\n{markdown(result)}\nThe report is in {options.report}.")
    return 0 if result.passed else 1


if __name__ == "__main__":
    sys.exit(main())
