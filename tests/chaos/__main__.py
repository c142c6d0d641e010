"""`scripts/chaos`: a storm of faults over real processes and a real server, and a judgement of what is left."""

from __future__ import annotations

import argparse
import os
import random
import sys
from pathlib import Path

from .report import markdown, write
from .storm import Plan, storm

__all__ = ["plan_of"]

SHORT = Plan(3_000, 20, 3, 12, 10, 10, 8, waves=1, seed=0)
GATE = Plan(100_000, 1_000, 50, 500, 200, 200, 150, waves=20, seed=0)
POINTS = {"short": 2, "gate": 30}
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
    options = parser.parse_args(arguments)
    base = GATE if options.gate else SHORT
    numbers = {name: getattr(options, name) for name in _NUMBERS}
    for name, given in numbers.items():
        if given is None:
            numbers[name] = max(1, round(getattr(base, name) * options.scale))
    seed = random.SystemRandom().randrange(2**32) if options.seed is None else options.seed
    return Plan(**numbers, seed=seed, workers=options.workers, lease=base.lease), options


def say(line: str) -> None:
    """Tell whoever watches."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """Storm, report, and say by the exit code whether all is well."""
    plan, options = plan_of(sys.argv[1:])
    say(f"{plan}, on {os.cpu_count()} cores")
    result = storm(plan, say)
    write(result, options.report)
    say(f"\n{markdown(result)}\nThe report is in {options.report}.")
    return 0 if result.passed else 1


if __name__ == "__main__":
    sys.exit(main())
