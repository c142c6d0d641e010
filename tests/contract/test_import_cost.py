"""Importing the package stays cheap, told by what it imports and not by a clock."""

import subprocess
import sys

import pytest

HEAVY = {"bm25s", "numpy", "pandas", "rich", "starlette", "typer", "uvicorn"}


def loaded_by(module: str) -> set[str]:
    """The top-level modules that a fresh interpreter holds after it has imported `module`."""
    program = f"import {module}, sys; print(*{{name.partition('.')[0] for name in sys.modules}})"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(result.stdout.split())


def test_the_check_sees_a_heavy_import() -> None:
    """What a module imports shows up in the list that the next test reads."""
    assert "rich" in loaded_by("rich.table") & HEAVY


@pytest.mark.parametrize("module", ["lion_broker", "lion_broker.worker", "lion_broker.session"])
def test_importing_loads_nothing_heavy(module: str) -> None:
    """A program or a worker starts without pandas, the terminal libraries or a web framework."""
    assert loaded_by(module) & HEAVY == set()
