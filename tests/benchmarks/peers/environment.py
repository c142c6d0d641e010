"""Environments of the measured systems: made on demand, each with its own pinned packages, and used again."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parents[3]
REQUIREMENTS = Path(__file__).parent / "requirements"
ENVIRONMENTS = ROOT / ".bench"


def requirements(name: str) -> Path:
    """Return the file that pins the packages of an environment."""
    return REQUIREMENTS / f"{name}.txt"


def is_made(name: str) -> bool:
    """Whether an environment is there and holds what its requirements say now."""
    stamp = ENVIRONMENTS / name / "bench.stamp"
    return stamp.exists() and stamp.read_text() == _stamp(name)


def python_of(name: str) -> Path:
    """Return the interpreter of an environment, made first where it is missing or out of date.

    Raises CalledProcessError when its packages cannot be installed; `stderr` says why.
    """
    folder = ENVIRONMENTS / name
    python = folder / "bin" / "python"
    if not is_made(name):
        sys.stderr.write(f"installing {name} …\n")
        venv.create(folder, with_pip=True, clear=True)
        command: list[str | Path] = [
            python,
            "-m",
            "pip",
            "install",
            "-qq",
            "--disable-pip-version-check",
            "-r",
            requirements(name),
        ]
        subprocess.run(command, check=True, capture_output=True, text=True)
        (folder / "bench.stamp").write_text(_stamp(name))
    return python


def with_uvloop() -> Path | None:
    """Return an interpreter that has all packages of this one, and the event loop that the peers have as well.

    None where this one has it. Raises CalledProcessError when it cannot be installed.
    """
    if find_spec("uvloop") is not None:
        return None
    python = python_of("lion")
    where = {"base": str(ENVIRONMENTS / "lion"), "platbase": str(ENVIRONMENTS / "lion")}
    ours = sysconfig.get_path("purelib")
    # Not a plain path, for that would leave out what is installed to be edited.
    Path(sysconfig.get_path("purelib", vars=where), "ours.pth").write_text(f"import site; site.addsitedir({ours!r})\n")
    return python


def _stamp(name: str) -> str:
    return f"{sys.version}\n{ROOT}\n{requirements(name).read_text()}"
