"""The scripts are what CONTRIBUTING says: short, safe to repeat, and clear when something is missing."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted((ROOT / "scripts").iterdir())


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with the scripts and an environment in which every program only prints its arguments."""
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name in ("lint-imports", "lion-broker", "mypy", "pytest", "python", "ruff"):
        (programs / name).write_text('#!/bin/sh\necho "$(basename "$0") $*"\n')
        (programs / name).chmod(0o755)
    return tmp_path


def run(checkout: Path, name: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script of a checkout from another folder."""
    command: list[str | Path] = [checkout / "scripts" / name, *arguments]
    clean = {"PATH": os.environ["PATH"], **environment}
    return subprocess.run(command, cwd="/", env=clean, capture_output=True, text=True)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_a_script_says_what_it_does(script: Path) -> None:
    """Executable, stopping at the first error, with its purpose in the second line."""
    shebang, purpose, strict, *_ = script.read_text().splitlines()
    assert os.access(script, os.X_OK)
    assert shebang == "#!/bin/sh"
    assert purpose.startswith("# ")
    assert purpose.endswith(".")
    assert strict == "set -e"


@pytest.mark.parametrize(
    ("name", "started"),
    [
        ("bench", "python -m tests.benchmarks --option"),
        ("chaos", "python -m tests.chaos --option"),
        ("demo", "lion-broker demo research --option"),
        ("test", "pytest --option"),
        ("upgrade", "python -m tests.upgrade --option"),
    ],
)
def test_a_script_hands_its_arguments_on(checkout: Path, name: str, started: str) -> None:
    """Arguments go to the program that the script starts, and what is printed is that program's alone."""
    result = run(checkout, name, "--option")
    assert (result.stdout, result.returncode) == (f"{started}\n", 0)


def test_check_runs_every_check(checkout: Path) -> None:
    """Formatting, lint, types and layers, in the order of their cost."""
    result = run(checkout, "check")
    assert result.stdout.splitlines() == [
        "ruff format --check .",
        "ruff check .",
        "mypy ",
        "lint-imports --no-logo",
    ]


def test_an_install_is_not_repeated(checkout: Path) -> None:
    """A second run with nothing changed starts nothing; an edited pyproject.toml starts an install again."""
    first, second = run(checkout, "install"), run(checkout, "install")
    assert "--editable .[dev]" in first.stderr
    assert (second.stdout, second.stderr) == ("", "")
    with (checkout / "pyproject.toml").open("a") as file:
        file.write("\n# edited\n")
    assert "--editable .[dev]" in run(checkout, "install").stderr


def test_the_test_tools_are_added_when_they_are_needed(checkout: Path) -> None:
    """The demo's smaller install grows for the tests; the tests' install is enough for the demo."""
    assert run(checkout, "install", "--no-dev").stderr.rstrip().endswith("--editable .[dashboard]")
    assert "--editable .[dev]" in run(checkout, "install").stderr
    assert run(checkout, "install", "--no-dev").stderr == ""


def test_a_moved_checkout_gets_a_new_environment(checkout: Path) -> None:
    """Programs of an environment name its old place, so they are made afresh."""
    run(checkout, "install")
    moved = checkout.rename(checkout.with_name("moved"))
    result = run(moved, "install", PYTHON="fake-python")
    assert result.returncode == 1
    assert "Python 3.11" in result.stderr


def test_an_active_environment_of_ci_is_used(checkout: Path) -> None:
    """With CI set, `.venv` becomes a link to the environment that is active."""
    active = (checkout / ".venv").rename(checkout / "active")
    result = run(checkout, "install", CI="true", VIRTUAL_ENV=str(active))
    assert result.returncode == 0
    assert (checkout / ".venv").readlink() == active


def test_an_old_python_is_refused_with_the_way_out(checkout: Path) -> None:
    """Without a Python of 3.11 or newer the message says what to do, and nothing is made."""
    shutil.rmtree(checkout / ".venv")
    result = run(checkout, "install", PYTHON="no-such-python")
    assert result.returncode == 1
    assert "Python 3.11 or newer" in result.stderr
    assert "PYTHON=" in result.stderr
    assert not (checkout / ".venv").exists()


def test_help_installs_nothing(checkout: Path) -> None:
    """`--help` of install and check prints their purpose in one line."""
    for name in ("install", "check"):
        result = run(checkout, name, "--help")
        assert len(result.stdout.splitlines()) == 1
        assert result.stderr == ""
