"""Writes what was measured into docs/performance.md, between its two marks, and draws the pictures beside it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from .peers.environment import ROOT, python_of
from .results import Results
from .tables import contenders, curves, failures, goals, settings

__all__ = ["BEGIN", "END", "rendered", "replaced", "write"]

PAGE = ROOT / "docs" / "performance.md"
IMAGES = ROOT / "docs" / "images"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def write(found: Results) -> None:
    """Write the tables and draw the pictures; the drawing library gets an environment of its own."""
    PAGE.write_text(replaced(PAGE.read_text(), rendered(found)))
    IMAGES.mkdir(exist_ok=True)
    command: list[str | Path] = [python_of("picture"), "-m", "tests.benchmarks.picture", IMAGES]
    subprocess.run(command, cwd=ROOT, input=found.dumps(), text=True, check=True)


def replaced(page: str, between: str) -> str:
    """Return a page with other text between its marks; raises ValueError when it does not have both."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"The page needs the lines {BEGIN} and {END}.")
    return f"{before}{begin}\n\n{between}\n\n{end}{after}"


def rendered(found: Results) -> str:
    """Return everything between the marks, without the pictures' pixels."""
    what = found.machine
    conditions = ", ".join(f"{name} {version}" for name, version in found.versions.items())
    lines = [
        f"Measured with `{found.command}` on {what['processor']}, {what['cores']} cores, {what['system']}.",
        f"{conditions}.",
        "",
        "![Drain, answers, putting in and latency of all contenders](images/performance.svg)",
        "",
        *contenders(found),
        "",
    ]
    if missing := failures(found):
        lines += ["Not measured:", "", *missing, ""]
    lines += ["### Goals", "", *goals(found), ""]
    if found.curves:
        lines += ["### Growth", "", "![How costs grow](images/growth.svg)", "", *curves(found), ""]
    lines += ["### Versions and settings", "", *settings(found)]
    return "\n".join(lines)
