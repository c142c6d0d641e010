"""What a run has found, as JSON and back: every sample, with the machine and the versions that it holds for."""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

from .rig import Curve, Figure, Rig

__all__ = ["FORMAT", "Results", "load", "machine", "versions"]

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Results:
    """Figures and curves of one run; `contenders` are the versions and settings of each, by name."""

    machine: Mapping[str, Any]
    versions: Mapping[str, str]
    contenders: Mapping[str, Mapping[str, Any]]
    rows: Sequence[Figure | Curve]
    command: str = "scripts/bench"

    @property
    def figures(self) -> list[Figure]:
        """The single values."""
        return [row for row in self.rows if isinstance(row, Figure)]

    @property
    def curves(self) -> list[Curve]:
        """The values that grow with another."""
        return [row for row in self.rows if isinstance(row, Curve)]

    def dumps(self) -> str:
        """Return JSON, the same for the same results."""
        found = {
            "format": FORMAT,
            "command": self.command,
            "machine": dict(self.machine),
            "versions": dict(self.versions),
            "contenders": {name: dict(about) for name, about in self.contenders.items()},
            "figures": [{**_plain(asdict(figure)), "met": figure.met} for figure in self.figures],
            "curves": [_plain(asdict(curve)) for curve in self.curves],
        }
        return json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def load(path: Path) -> Results:
    """Read results from a file; raises ValueError when it is of another format."""
    found = json.loads(path.read_text())
    if found.get("format") != FORMAT:
        raise ValueError(f"{path.name} has format {found.get('format')}; this version reads {FORMAT}.")
    rows: list[Figure | Curve] = [_figure(row) for row in found["figures"]]
    for row in found["curves"]:
        known = {field.name: row[field.name] for field in fields(Curve) if field.name in row}
        rows.append(Curve(**{**known, "points": tuple((x, _number(y)) for x, y in row["points"])}))
    return Results(found["machine"], found["versions"], found["contenders"], rows, found["command"])


def machine() -> dict[str, Any]:
    """Return what the figures depend on besides the code."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def versions(rig: Rig) -> dict[str, str]:
    """Return the versions of what our own figures hold for."""
    server: Any = rig.raw.info("server")
    name = server.get("server_name", "redis")
    return {
        "Python": platform.python_version(),
        "server": f"{name} {server.get('valkey_version') or server['redis_version']}",
        "lion-broker": version("lion-broker"),
        "redis-py": version("redis"),
        "hiredis": version("hiredis"),
    }


def _processor() -> str:
    names = Path("/proc/cpuinfo")
    if names.exists():
        for line in names.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def _figure(row: dict[str, Any]) -> Figure:
    known = {field.name: row[field.name] for field in fields(Figure) if field.name in row}
    return Figure(**{**known, "value": _number(row["value"]), "samples": tuple(row["samples"])})


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def _plain(row: Any) -> Any:
    """Return a row in which values that are no numbers are null, as JSON has no name for them."""
    if isinstance(row, dict):
        return {name: _plain(value) for name, value in row.items()}
    if isinstance(row, (list, tuple)):
        return [_plain(value) for value in row]
    return None if isinstance(row, float) and not math.isfinite(row) else row
