"""`scripts/bench`: runs the benchmarks, prints what they have found, and writes the page that shows it."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from .calls import calls
from .collecting import collecting
from .contest import Contest
from .drain import drain, relay
from .enqueue import enqueue
from .fairness import fairness
from .growth_branches import growth_branches
from .growth_fan import growth_fan
from .growth_history import growth_history
from .growth_mailbox import growth_mailbox
from .hostile import hostile
from .latency import latency
from .page import write
from .peers.environment import with_uvloop
from .peers.table import HOP, OURS, PEERS, QUICK, Contender
from .results import Results, load, machine, versions
from .rig import Curve, Figure, Rig, WrongResult, rig
from .rounds import rounds
from .scaling import scaling
from .soak import soak
from .startup import startup
from .tables import plain
from .takeover import takeover
from .telemetry import telemetry
from .thinking import thinking

ROUNDS = 3
# What takes so long that it runs only when it is named; and what the two minutes are too short for.
LONG = frozenset({"SOAK", "TELEMETRY"})
# What is measured along with another.
PARTS = {"P9": "P8"}
LONGER = LONG | {"G1", "P7", "P8", "G2", "M1", "M2"}


def main() -> None:
    """Measure and print. Figures mean something beside each other, in one run, not beside those of another machine.

    A goal that is missed is said in words; only a result that is wrong, such as mail that is missing, is an error.
    """
    options = _options()
    try:
        found = load(options.source) if options.source else _measure(options)
    except WrongResult as error:
        raise SystemExit(f"{error} The figures would be worthless.") from error
    if options.json:
        options.json.write_text(found.dumps())
    if options.write:
        write(found)
    print(plain(found))


def _be_fast() -> None:
    """Go on in an interpreter with the event loop that the peers use as well, and that `lion-broker[fast]` brings."""
    if _options().source:
        return
    try:
        python = with_uvloop()
    except subprocess.CalledProcessError as error:
        sys.stderr.write(f"lion-broker is measured without uvloop, which cannot be installed: {error.stderr}\n")
        return
    if python is not None:
        os.execv(python, [str(python), "-m", "tests.benchmarks", *sys.argv[1:]])  # noqa: S606  it is ours


def _plan(server: Rig, contest: Contest, quick: bool) -> Mapping[str, Callable[[], Sequence[Figure | Curve]]]:
    """Return the benchmarks by number; there is one line for each."""
    return {
        "P1": lambda: drain(contest, 10_000 if quick else 20_000),
        "P2": lambda: relay(contest, 4_000 if quick else 10_000),
        "P3": lambda: latency(contest, 400 if quick else 1_200),
        "P4": lambda: enqueue(contest, 2_000 if quick else 8_000, 10_000 if quick else 20_000),
        "P5": lambda: [*rounds(server, 1 if quick else 3), *collecting(contest)],
        "P6": lambda: takeover(server, 3 if quick else 10),
        "P10": lambda: scaling(server, 1_000 if quick else 4_000, 1 if quick else 3),
        "P11": lambda: calls(server),
        "P12": lambda: startup(server, 3 if quick else 7),
        "FAIR": lambda: fairness(server, 100 if quick else 500),
        "TELEMETRY": lambda: telemetry(server, 10 if quick else 150),
        "G1": lambda: growth_branches(server, quick),
        "P7": lambda: growth_mailbox(server, quick),
        "P8": lambda: growth_history(server, quick),
        "G2": lambda: growth_fan(server, quick),
        "SOAK": lambda: soak(server, quick),
        "M2": hostile,
        "M1": lambda: thinking(1 if quick else 5),
    }


def _measure(options: argparse.Namespace) -> Results:
    rows: list[Figure | Curve] = []
    contenders = _contenders(options)
    with rig() as server:
        contest = Contest(server, contenders, 1 if options.quick else options.rounds)
        plan = _plan(server, contest, options.quick)
        if unknown := options.only - plan.keys():
            raise SystemExit(f"No benchmark is called {', '.join(unknown)}; there are {', '.join(plan)}.")
        for number, measure in plan.items():
            if number in (options.only or {number} - (LONGER if options.quick else LONG)):
                sys.stderr.write(f"{number} … ")
                begun = time.perf_counter()
                rows += measure()
                sys.stderr.write(f"{time.perf_counter() - begun:.0f} s\n")
        return Results(machine(), versions(server), contest.about, rows, _command(options))


def _command(options: argparse.Namespace) -> str:
    """Return what was typed, without the names of files."""
    words = ["scripts/bench", *(["--quick"] if options.quick else [])]
    for name in ("only", "peers"):
        if given := getattr(options, name):
            words += [f"--{name}", ",".join(sorted(given, key=lambda word: (len(word), word)))]
    if options.rounds != ROUNDS and not options.quick:
        words += ["--rounds", str(options.rounds)]
    return " ".join(words)


def _contenders(options: argparse.Namespace) -> list[Contender]:
    peers = QUICK if options.quick else PEERS
    if options.peers is not None:
        programs = dict.fromkeys(one.program for one in PEERS)
        if unknown := options.peers - {"all", "none", *programs}:
            raise SystemExit(f"No peer is called {', '.join(unknown)}; there are {', '.join(programs)}, all, none.")
        peers = tuple(one for one in PEERS if options.peers & {"all", one.program})
    return [OURS, HOP, *peers]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=main.__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="two minutes: fewer items, one round, the two fastest peers"
    )
    parser.add_argument("--only", type=_words, default=set(), metavar="P1,P3", help="numbers to run")
    parser.add_argument("--peers", type=_names, metavar="NAMES", help="peers to run: all, none, or arq,celery")
    parser.add_argument(
        "--rounds", type=int, default=ROUNDS, help=f"interleaved rounds of all contenders, {ROUNDS} unless given"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything that was measured")
    parser.add_argument(
        "--from", type=Path, dest="source", metavar="FILE", help="show results of --json, measure nothing"
    )
    parser.add_argument("--write", action="store_true", help="write docs/performance.md and its pictures")
    return parser.parse_args()


def _words(text: str) -> set[str]:
    words = {word.strip().upper() for word in text.split(",")} - {""}
    return {PARTS.get(word, word) for word in words}


def _names(text: str) -> set[str]:
    return {word.strip().lower() for word in text.split(",")}


if __name__ == "__main__":
    _be_fast()
    main()
