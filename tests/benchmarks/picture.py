"""Draws results as SVG, in an environment of its own: `python -m tests.benchmarks.picture FOLDER < results.json`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from textwrap import wrap
from typing import Any

import matplotlib as mpl

from .works import DRAINED, MANY, RELAYED, SINGLE, STARTS_P50, STARTS_P99

mpl.use("svg")

from matplotlib import pyplot as plt
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

# Colours that can be read on white and on black.
INK, FAINT = "#7d8590", "#7d859040"
OURS = "#e8833a"
COLOURS = {
    "lion-broker": OURS,
    "the client library alone": "#9aa3ad",
    "a broker with a handler per item": "#4a86c5",
    "a broker with a handler per batch": "#8fbce6",
    "in memory, nothing durable": "#9a7fc7",
}
STYLE = {
    "svg.hashsalt": "lion-broker",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.edgecolor": FAINT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.axisbelow": True,
    "xtick.color": INK,
    "ytick.color": INK,
    "ytick.left": False,
    "xtick.minor.bottom": False,
    "grid.color": FAINT,
    "legend.frameon": False,
}
# Values that are further apart than this are drawn on a logarithmic scale.
WIDE = 50


def main(folder: Path) -> None:
    """Draw the contenders, and the curves if there are any."""
    found = json.load(sys.stdin)
    with mpl.rc_context(STYLE):
        _save(_contenders(found), folder / "performance.svg")
        if found["curves"]:
            _save(_growth(found["curves"]), folder / "growth.svg")


def _contenders(found: dict[str, Any]) -> Any:
    kinds = {name: about["kind"] for name, about in found["contenders"].items()}
    colours = {name: OURS if name == "lion-broker" else COLOURS[kind] for name, kind in kinds.items()}

    def values(work: str) -> dict[str, float]:
        return {
            one["who"]: one["value"] for one in found["figures"] if one["work"] == work and one["value"] is not None
        }

    picture, axes = plt.subplots(2, 2, figsize=(10, 8.2), layout="constrained")
    picture.get_layout_engine().set(wspace=0.06, hspace=0.06)
    _bars(axes[0, 0], "Drained from a full queue, items/s", values(DRAINED), colours)
    _bars(axes[0, 1], "Answered with another item, items/s", values(RELAYED), colours)
    _dots(axes[1, 0], "Put in one by one ● or many at once ○, items/s", values(SINGLE), values(MANY), colours)
    _dots(axes[1, 1], "Idle latency, ms: p50 ●, p99 ○", values(STARTS_P50), values(STARTS_P99), colours, least=True)
    shown = [name for name in COLOURS if name == "lion-broker" or name in kinds.values()]
    handles = [Line2D([], [], marker="s", linestyle="", color=COLOURS[name], label=name) for name in shown]
    picture.legend(handles=handles, loc="outside lower center", ncols=3, labelcolor=INK, fontsize=8.5)
    return picture


def _bars(axes: Any, title: str, values: dict[str, float], colours: dict[str, str]) -> None:
    names = sorted(values, key=lambda name: values[name])
    bars = axes.barh(names, [values[name] for name in names], color=[colours[name] for name in names], height=0.66)
    axes.bar_label(bars, labels=[f"{values[name]:,.0f}" for name in names], padding=4, color=INK, fontsize=8)
    axes.margins(x=0.14, y=0.02)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    _dress(axes, title)


def _dots(
    axes: Any,
    title: str,
    first: dict[str, float],
    second: dict[str, float],
    colours: dict[str, str],
    *,
    least: bool = False,
) -> None:
    """Draw one or two values of each on a logarithmic scale, the best on top."""
    names = sorted(first.keys() | second.keys(), key=lambda name: first.get(name, 0), reverse=least)
    for place, name in enumerate(names):
        values = [group[name] for group in (first, second) if name in group]
        axes.plot(values, [place] * len(values), color=colours[name], linewidth=1.5, alpha=0.6)
        if name in first:
            axes.plot(first[name], place, "o", color=colours[name], markersize=7)
        if name in second:
            axes.plot(second[name], place, "o", color=colours[name], markersize=7, markerfacecolor="none")
        label = " / ".join(f"{value:,.0f}" if value >= 10 else f"{value:.2g}" for value in values)
        axes.annotate(label, (max(values), place), xytext=(8, -3), textcoords="offset points", fontsize=8)
    axes.set_yticks(range(len(names)), names)
    axes.set_xscale("log")
    everything = [*first.values(), *second.values()]
    if everything:
        least_value, most = min(everything), max(everything)
        axes.set_xlim(least_value / 1.5, most * max(3.0, (most / least_value) ** 0.4))
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if most < 50 * least_value else (1,)))
    axes.xaxis.set_minor_locator(NullLocator())
    _dress(axes, title)


def _dress(axes: Any, title: str) -> None:
    axes.set_title(title)
    axes.grid(axis="x")
    axes.xaxis.set_major_formatter(_tick)
    for label in axes.get_yticklabels():
        if label.get_text() == "lion-broker":
            label.set_color(OURS)
            label.set_fontweight("bold")


def _tick(value: float, _: object = None) -> str:
    """Return a short number: 0.5, 20, 3k, 1.5M."""
    for size, sign in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{sign}"
    return f"{value:g}"


def _growth(curves: list[dict[str, Any]]) -> Any:
    columns = 4
    lines = -(-len(curves) // columns)
    picture, grid = plt.subplots(lines, columns, figsize=(10, 1.9 * lines), layout="constrained", squeeze=False)
    for axes, curve in zip(grid.flat, curves, strict=False):
        _curve(axes, curve)
    for axes in grid.flat[len(curves) :]:
        axes.set_visible(False)
    return picture


def _curve(axes: Any, curve: dict[str, Any]) -> None:
    points = [(x, y) for x, y in curve["points"] if y is not None]
    if not points:
        axes.set_visible(False)
        return
    xs, ys = zip(*points, strict=True)
    axes.plot(xs, ys, "o-", color=OURS, markersize=4.5 if len(xs) < 20 else 0, linewidth=1.6)
    axes.set_title("\n".join(wrap(f"{curve['number']} {curve['work']}, {curve['y']}", 32)), fontsize=7.5)
    axes.set_xlabel(curve["x"], fontsize=7.5)
    axes.tick_params(labelsize=7.5)
    if min(xs) > 0 and max(xs) / min(xs) > WIDE:
        axes.set_xscale("log")
        axes.xaxis.set_minor_locator(NullLocator())
    # A curve that is flat must look flat, and one that grows a hundredfold must still be seen where it begins.
    if min(ys) > 0 and max(ys) / min(ys) > WIDE:
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=min(0, *ys), top=max(ys) * 1.25 or 1)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(_tick)
    axes.grid(axis="y")


def _save(picture: Any, path: Path) -> None:
    picture.savefig(path, transparent=True, metadata={"Date": None, "Creator": None})
    plt.close(picture)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
