"""Results as text: what the terminal shows, and the tables of docs/performance.md."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .peers.table import HOP, OURS, PEERS, Kind
from .results import Results
from .rig import Curve, Figure
from .works import (
    CLIENT_CPU,
    DRAINED,
    MANY,
    RELAYED,
    SERVER_CPU,
    SINGLE,
    STARTS_P50,
    STARTS_P99,
    WORKER_CPU,
)

__all__ = ["contenders", "curves", "goals", "number", "plain", "settings"]

COLUMNS = (
    ("drained/s", DRAINED),
    ("worker µs", WORKER_CPU),
    ("server µs", SERVER_CPU),
    ("answered/s", RELAYED),
    ("put in/s", SINGLE),
    ("client µs", CLIENT_CPU),
    ("many at once/s", MANY),
    ("p50 ms", STARTS_P50),
    ("p99 ms", STARTS_P99),
)
MOST_POINTS = 6
KINDS = {one.name: one.kind for one in (OURS, HOP, *PEERS)}


def number(value: float) -> str:
    """Return a value with as many digits as mean something, about three."""
    if math.isnan(value):
        return "–"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f}"


def verdict(figure: Figure) -> str:
    """Return in a word whether a goal was reached; nothing where there is none."""
    return {True: "met", False: "missed", None: ""}[figure.met]


def plain(found: Results) -> str:
    """Return all figures for the terminal."""
    lines = [", ".join(f"{name} {version}" for name, version in found.versions.items()), ""]
    for row in found.rows:
        if isinstance(row, Curve):
            lines.append(f"{row.number:4} {row.work}: {row.y} by {row.x}: {_points(row)}  {row.goal}".rstrip())
            continue
        value = row.error or f"{number(row.value)} {row.unit}"
        goal = f"{row.goal} {verdict(row)}".rstrip()
        lines.append(f"{row.number:4} {row.who:20} {row.work:48} {value:>20}  {goal}".rstrip())
    return "\n".join(lines)


def contenders(found: Results) -> list[str]:
    """Return the table of everybody who was measured, a column for each work; failures say so in their row."""
    shared = [figure for figure in found.figures if figure.work in dict(COLUMNS).values()]
    used = [(title, work) for title, work in COLUMNS if any(figure.work == work for figure in shared)]
    rows = []
    for name in KINDS:
        own = {figure.work: figure for figure in shared if figure.who == name}
        if not own:
            continue
        cells = [_cell(own.get(work)) for _, work in used]
        shown = f"**{name}**" if KINDS[name] is Kind.OURS else name
        rows.append([shown, KINDS[name].value, *cells])
    return table(["", "what it is", *[title for title, _ in used]], rows, left=2)


def failures(found: Results) -> list[str]:
    """Return a line for each contender and work that could not be measured."""
    seen = {(figure.who, figure.number, figure.error) for figure in found.figures if figure.error}
    return [f"- {who or 'lion-broker'}, {number}: {error}" for who, number, error in sorted(seen)]


def goals(found: Results) -> list[str]:
    """Return the table of our own figures and goals."""
    rows = [
        [row.number, _whose(row), f"{number(row.value)} {row.unit}", row.goal, verdict(row)]
        for row in found.figures
        if row.goal or row.met is not None or not row.who
    ]
    return table(["", "work", "measured", "goal", ""], rows, left=2)


def curves(found: Results) -> list[str]:
    """Return the table of values that grow with another."""
    rows = [[row.number, row.work, f"{row.y} by {row.x}", _points(row), _growth(row), row.goal] for row in found.curves]
    return table(["", "work", "what", "points", "last / first", "goal"], rows, left=6)


def settings(found: Results) -> list[str]:
    """Return the table of versions and settings of all contenders."""
    rows = [
        [name, ", ".join(f"{package} {version}" for package, version in about["versions"].items()), about["settings"]]
        for name, about in found.contenders.items()
    ]
    return table(["", "versions", "settings"], rows, left=3)


def table(head: Sequence[str], rows: Sequence[Sequence[str]], left: int) -> list[str]:
    """Return a Markdown table; the first `left` columns are aligned to the left, the others to the right."""
    rule = ["---" if column < left else "---:" for column in range(len(head))]
    return [f"| {' | '.join(cells)} |" for cells in (head, rule, *rows)]


def _whose(figure: Figure) -> str:
    return figure.work if figure.who in ("", OURS.name) else f"{figure.who}: {figure.work}"


def _cell(figure: Figure | None) -> str:
    if figure is None:
        return ""
    return "failed" if figure.error else number(figure.value)


def _growth(curve: Curve) -> str:
    values = [y for _, y in curve.points if not math.isnan(y)]
    return f"{values[-1] / values[0]:.2g}" if len(values) > 1 and values[0] else ""


def _points(curve: Curve) -> str:
    """Return the points of a curve, of many only some that lie at the same distance from each other."""
    step = -(-(len(curve.points) - 1) // MOST_POINTS) or 1
    return ", ".join(f"{x:,.0f}: {number(y)}" for x, y in curve.points[::step])
