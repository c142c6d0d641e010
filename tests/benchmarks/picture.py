"""Draws results as SVG, in an environment of its own: `python -m tests.benchmarks.picture FOLDER < results.json`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl

from .works import DRAINED, MANY, RELAYED, SINGLE, STARTS_P50, STARTS_P99

mpl.use("svg")

from matplotlib import pyplot as plt
from matplotlib.lines import Line2D

# Colours that can be read on white and on black.
INK, FAINT = "#7d8590", "#7d859040"
OURS, PEER, RAW, MEMORY = "#e8833a", "#5b8fc7", "#9aa3ad", "#9a7fc7"
COLOURS = {"lion-broker": OURS, "redis-py hop": RAW}
IN_MEMORY = ("AutoGen", "LionAGI")
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
Figures = list[dict[str, Any]]


def main(folder: Path) -> None:
    """Draw the contenders, and the curves if there are any."""
    found = json.load(sys.stdin)
    with mpl.rc_context(STYLE):
        _save(_contenders(found["figures"]), folder / "performance.svg")
        if found["curves"]:
            _save(_growth(found["curves"]), folder / "growth.svg")


def _contenders(figures: Figures) -> Any:
    picture, axes = plt.subplots(2, 2, figsize=(10, 8), layout="constrained")
    _bars(axes[0, 0], "Drained from a full queue, items a second", _values(figures, DRAINED))
    _bars(axes[0, 1], "Answered with another item, items a second", _values(figures, RELAYED))
    many = _values(figures, MANY)
    _dots(axes[1, 0], "Put in one by one ● and many at once ○, items a second", _values(figures, SINGLE), many)
    starts = _values(figures, STARTS_P50)
    _dots(axes[1, 1], "Publish to handler when idle, ms: p50 ● p99 ○", starts, _values(figures, STARTS_P99), least=True)
    kinds = (("lion-broker", OURS), ("the client library alone", RAW), ("brokers", PEER), ("in memory only", MEMORY))
    handles = [Line2D([], [], marker="s", linestyle="", color=colour, label=name) for name, colour in kinds]
    picture.legend(handles=handles, loc="outside lower center", ncols=4, labelcolor=INK)
    return picture


def _values(figures: Figures, work: str) -> dict[str, float]:
    return {one["who"]: one["value"] for one in figures if one["work"] == work and one["value"] is not None}


def _colour(name: str) -> str:
    return COLOURS.get(name, MEMORY if name.startswith(IN_MEMORY) else PEER)


def _bars(axes: Any, title: str, values: dict[str, float]) -> None:
    names = sorted(values, key=lambda name: values[name])
    bars = axes.barh(names, [values[name] for name in names], color=[_colour(name) for name in names], height=0.62)
    axes.bar_label(bars, labels=[f"{values[name]:,.0f}" for name in names], padding=4, color=INK, fontsize=8)
    _log(axes, title, names)
    if values:
        axes.set_xlim(left=min(values.values()) / 2, right=max(values.values()) * 4)


def _dots(axes: Any, title: str, first: dict[str, float], second: dict[str, float], *, least: bool = False) -> None:
    names = sorted(first.keys() | second.keys(), key=lambda name: first.get(name, 0), reverse=least)
    for place, name in enumerate(names):
        values = [group[name] for group in (first, second) if name in group]
        axes.plot(values, [place] * len(values), color=_colour(name), linewidth=1.5, alpha=0.6)
        if name in first:
            axes.plot(first[name], place, "o", color=_colour(name), markersize=7)
        if name in second:
            axes.plot(second[name], place, "o", color=_colour(name), markersize=7, markerfacecolor="none")
        label = " / ".join(f"{value:,.0f}" if value >= 100 else f"{value:.2g}" for value in values)
        axes.annotate(label, (max(values), place), xytext=(8, -3), textcoords="offset points", fontsize=8)
    axes.set_yticks(range(len(names)), names)
    axes.margins(x=0.25)
    _log(axes, title, names)


def _log(axes: Any, title: str, names: list[str]) -> None:
    axes.set_xscale("log")
    axes.set_title(title)
    axes.grid(axis="x")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}" if value >= 1 else f"{value:g}")
    for label in axes.get_yticklabels():
        if label.get_text() == "lion-broker":
            label.set_color(OURS)
            label.set_fontweight("bold")


def _growth(curves: Figures) -> Any:
    columns = 3
    lines = -(-len(curves) // columns)
    picture, grid = plt.subplots(lines, columns, figsize=(10, 2.2 * lines), layout="constrained", squeeze=False)
    for axes, curve in zip(grid.flat, curves, strict=False):
        xs, ys = zip(*[point for point in curve["points"] if point[1] is not None], strict=True)
        axes.plot(xs, ys, "o-", color=OURS, markersize=5, linewidth=1.8)
        axes.set_title(f"{curve['number']} {curve['work']}", fontsize=8.5, wrap=True)
        axes.set_xscale("log")
        axes.set_xlabel(curve["x"], fontsize=8)
        axes.set_ylabel(curve["y"], fontsize=8)
        # A curve that is flat must look flat, and one that grows a hundredfold must still be seen where it begins.
        if min(ys) > 0 and max(ys) / min(ys) > 50:
            axes.set_yscale("log")
        else:
            axes.set_ylim(bottom=0, top=max(ys) * 1.25 or 1)
        axes.grid(axis="y")
    for axes in grid.flat[len(curves) :]:
        axes.set_visible(False)
    return picture


def _save(picture: Any, path: Path) -> None:
    picture.savefig(path, transparent=True, metadata={"Date": None, "Creator": None})
    plt.close(picture)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
