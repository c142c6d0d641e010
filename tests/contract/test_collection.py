"""The suite itself: every process collects the same tests, so that several can share the work."""

import os
import subprocess
import sys

from tests.stage import ROOT


def collected(seed: str) -> list[str]:
    """The names of all tests, in order, as a process with this seed for its hashes finds them."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-qq", "-p", "no:randomly", "-p", "no:cacheprovider"]
    environ = {**os.environ, "PYTHONHASHSEED": seed}
    result = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=True)
    return result.stdout.splitlines()


def test_every_process_finds_the_same_tests() -> None:
    """No case has a name that changes from run to run, and none comes out of a set."""
    assert collected("1") == collected("2")
