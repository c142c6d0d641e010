"""What all measurements of growth share: where they measure, and processes of their own whose cost is their own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from lion_broker.testing import wait_until

from .rig import Rig, WrongResult

__all__ = ["measured", "points", "resident", "server_bytes", "settled", "started", "told"]


def points(most: int) -> list[int]:
    """The sizes to measure at, up to `most`."""
    return [10, *(size for size in (1_000, 10_000) if size < most), most]


def started(rig: Rig, module: str, *words: str | int) -> subprocess.Popen[str]:
    """Start a program of this folder on the rig's server."""
    command = [sys.executable, "-m", f"tests.benchmarks.{module}", *map(str, words)]
    return subprocess.Popen(command, env=rig.environment(), stdout=subprocess.PIPE, text=True)


def told(program: subprocess.Popen[str]) -> dict[str, Any]:
    """Wait for the end of a program; returns what it has printed as JSON."""
    text, _ = program.communicate()
    if program.returncode:
        raise WrongResult(f"{program.args!r} has failed; without it there is nothing to compare.")
    found: dict[str, Any] = json.loads(text)
    return found


def measured(rig: Rig, module: str, *words: str | int) -> dict[str, Any]:
    """Run a program of this folder on the rig's server; returns what it prints as JSON."""
    return told(started(rig, module, *words))


def settled(rig: Rig) -> None:
    """Wait until the server has freed what was deleted and has rewritten its log."""
    raw: Any = rig.raw

    def quiet() -> bool:
        rewriting = raw.info("persistence")
        busy = rewriting["aof_rewrite_in_progress"] or rewriting["aof_rewrite_scheduled"]
        return not (busy or raw.info("memory")["lazyfree_pending_objects"])

    wait_until(quiet, 120)


def server_bytes(rig: Rig) -> int:
    """How many bytes the server's data takes, by its own count."""
    settled(rig)
    memory: Any = rig.raw.info("memory")
    return int(memory["used_memory"]) - int(memory["mem_clients_normal"])


def resident(pid: int | str = "self") -> int:
    """How many bytes of memory a process has; Linux says so."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096
