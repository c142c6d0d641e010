"""The layers of the architecture are kept, and the check that says so is able to fail."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "pyproject.toml"


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """Check the contracts of the `pyproject.toml` in `folder` against the package that lies beside it."""
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run([program, "--no-logo", "--no-cache"], cwd=folder, capture_output=True, text=True)


@pytest.fixture
def tiny_package(tmp_path: Path) -> Path:
    """A folder with the real contracts and an empty module for each layer they name."""
    shutil.copy(CONFIG, tmp_path)
    contracts = tomllib.loads(CONFIG.read_text())["tool"]["importlinter"]["contracts"]
    package = tmp_path / "lion_broker"
    package.mkdir()
    (package / "__init__.py").touch()
    for layer in contracts[0]["layers"]:
        for module in layer.split(" | "):
            (package / f"{module}.py").touch()
    return tmp_path


def test_all_contracts_are_kept() -> None:
    """Every import of the library points down the road."""
    result = lint_imports(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


def test_a_clean_package_keeps_the_contracts(tiny_package: Path) -> None:
    """The seeded violations below fail for their own sake, not for the package they are sown in."""
    result = lint_imports(tiny_package)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("core", "import lion_broker.mail", "Imports point down only"),
        ("session", "import lion_broker.worker", "Imports point down only"),
        ("branch", "import lion_broker.broker", "Imports point down only"),
        ("stray", "", "Imports point down only"),
        ("session", "import redis", "Only broker speaks to the server"),
        ("branch", "import httpx", "Only models speaks HTTP"),
        ("session", "import pandas", "Only core.frames makes frames"),
        ("cli", "import workers", "The library imports neither its entry points nor its tests"),
    ],
)
def test_a_seeded_violation_is_found(tiny_package: Path, module: str, line: str, contract: str) -> None:
    """An import up or sideways, a library in the wrong place or a module without a layer is an error."""
    (tiny_package / "lion_broker" / f"{module}.py").write_text(line)
    result = lint_imports(tiny_package)
    assert result.returncode == 1
    assert f"{contract} BROKEN" in result.stdout
