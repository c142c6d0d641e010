"""`scripts/bench`: runs the benchmarks and prints their figures."""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict

from .drain import drain
from .fairness import fairness
from .growth_branches import growth_branches
from .growth_fan import growth_fan
from .growth_history import growth_history
from .growth_mailbox import growth_mailbox
from .hostile import hostile
from .latency import latency
from .rig import Curve, Figure, rig
from .rounds import rounds
from .soak import soak
from .startup import startup
from .takeover import takeover
from .thinking import thinking


def main() -> None:
    """Measure and print; figures mean something beside each other, not beside those of another machine."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=main.__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer mails and rounds")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--only", default="", help="numbers to run, for example P1,P5")
    options = parser.parse_args()
    wanted = set(options.only.upper().split(",")) - {""}
    quick = options.quick
    figures: list[Figure | Curve] = []
    with rig() as server:
        plan: dict[str, Callable[[], Sequence[Figure | Curve]]] = {
            "P1": lambda: drain(server, 10_000 if quick else 20_000, 1 if quick else 3),
            "P3": lambda: latency(server, 200 if quick else 1000),
            "P5": lambda: rounds(server, 1 if quick else 3),
            "P6": lambda: takeover(server, 3 if quick else 10),
            "P12": lambda: startup(server, 3 if quick else 7),
            "FAIR": lambda: fairness(server, 100 if quick else 500),
            "G1": lambda: growth_branches(server, quick),
            "P7": lambda: growth_mailbox(server, quick),
            "P8": lambda: growth_history(server, quick),
            "G2": lambda: growth_fan(server, quick),
            "SOAK": lambda: soak(server, quick),
            "M2": hostile,
            "M1": lambda: thinking(1 if quick else 5),
        }
        for number, measure in plan.items():
            if number in wanted or not (wanted or number == "SOAK"):
                sys.stderr.write(f"{number} …\n")
                figures += measure()
    if options.json:
        print(json.dumps([asdict(figure) for figure in figures], indent=2))
        return
    print(f"Python {platform.python_version()}, {platform.machine()}\n")
    print(f"{'':4} {'work':56} {'measured':>12} {'':8} goal")
    for row in figures:
        if isinstance(row, Curve):
            shown = ", ".join(f"{x:,.6g}: {y:,.6g}" for x, y in row.points)
            print(f"{row.number:4} {row.work}: {row.y} by {row.x}: {shown}  {row.goal}")
            continue
        print(f"{row.number:4} {row.work:56} {row.value:>12,.2f} {row.unit:8} {row.goal}")


if __name__ == "__main__":
    main()
