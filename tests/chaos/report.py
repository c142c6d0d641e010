"""What a storm came to, as Markdown for people and JSON for programs."""

from __future__ import annotations

import json
import platform
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from .storm import FAULTS, Result

__all__ = ["markdown", "values", "write"]

_SHOWN = 20


def values(result: Result) -> dict[str, Any]:
    """The result as JSON values."""
    return {
        "passed": result.passed,
        "seed": result.plan.seed,
        "seconds": round(result.seconds, 1),
        "cpu seconds": round(result.cpu, 1),
        "waves": result.waves,
        "versions": {
            "lion-broker": version("lion-broker"),
            "server": result.server,
            "redis-py": version("redis"),
            "python": platform.python_version(),
            "platform": f"{platform.system()} {platform.machine()}",
        },
        "plan": asdict(result.plan),
        "times at each crash point": result.points,
        "injected": dict(result.injected),
        "counts": dict(result.findings.counts),
        "faults": result.findings.faults,
        "short": result.short,
    }


def markdown(result: Result) -> str:
    """The result as a page."""
    told = values(result)
    plan, counts = told["plan"], told["counts"]
    lines = [
        f"# Chaos: {'passed' if result.passed else 'FAILED'}",
        "",
        (
            f"{counts.get('mails acked', 0):,} mails acked, {counts.get('mails unknown', 0):,} unknown to their"
            f" senders, {counts.get('effects', 0):,} effects, in {result.seconds:,.0f} s with {result.cpu:,.0f} s of"
            f" CPU; seed {plan['seed']}."
        ),
        "",
        "| wrong | count |",
        "| --- | ---: |",
        *(f"| {kind} | {len(told['faults'].get(kind, []))} |" for kind in KINDS),
        "",
        "| fault | planned | injected |",
        "| --- | ---: | ---: |",
        *(f"| {name.replace('_', ' ')} | {plan[name]:,} | {result.injected[name]:,} |" for name in FAULTS),
        "",
        "| counted | |",
        "| --- | ---: |",
        *(f"| {name} | {count:,} |" for name, count in sorted(result.injected.items()) if name not in FAULTS),
        *(f"| {name} | {count:,} |" for name, count in sorted(counts.items())),
        "",
        ", ".join(f"{name} {text}" for name, text in told["versions"].items()) + ".",
    ]
    for kind, found in told["faults"].items():
        lines += ["", f"## {kind}", "", *(f"- {one}" for one in found[:_SHOWN])]
    return "\n".join(lines) + "\n"


KINDS = ("lost", "doubled", "reordered", "unsent", "gaps", "shared", "odd")


def write(result: Result, folder: Path) -> None:
    """Write both into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "chaos.md").write_text(markdown(result))
    (folder / "chaos.json").write_text(json.dumps(values(result), indent=2) + "\n")
