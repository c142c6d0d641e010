"""Each module of `workers/` starts the command of the same duty."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def usage(*arguments: str) -> str:
    """What a module prints about its options, without the first line, which names the program."""
    command = [sys.executable, "-m", *arguments, "--help"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return "\n".join(line for line in result.stdout.splitlines() if "Usage:" not in line)


@pytest.mark.parametrize(("module", "command"), [("branch", "worker"), ("sweeper", "sweeper")])
def test_an_entry_point_is_the_command(module: str, command: str) -> None:
    """`python -m workers.<module>` takes the options of `lion-broker <command>`."""
    assert usage(f"workers.{module}") == usage("lion_broker", command) != ""
