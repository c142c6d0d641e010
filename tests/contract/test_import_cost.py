"""Importing the package stays cheap, told by what it imports and not by a clock."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import lion_broker

HEAVY = {"bm25s", "numpy", "pandas", "rich", "starlette", "typer", "uvicorn"}
FOR_WORK = {"anyio", "asyncio", "httpx", "pydantic", "redis"}

HELP = "from lion_broker.__main__ import main; main(['--help'])"
EVERYTHING = "from lion_broker import *"


def loaded_by(program: str) -> set[str]:
    """The top-level modules that a fresh interpreter holds after it has run `program`."""
    told = f"{program}\nimport sys; print(*{{name.partition('.')[0] for name in sys.modules}}, file=sys.stderr)"
    result = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    return set(result.stderr.split())


def test_the_check_sees_a_heavy_import() -> None:
    """What a program imports shows up in the list that the next tests read."""
    assert "rich" in loaded_by("import rich.table") & HEAVY


@pytest.mark.parametrize("program", [EVERYTHING, "import lion_broker.worker", "import lion_broker.session"])
def test_importing_loads_nothing_heavy(program: str) -> None:
    """A program or a worker starts without pandas, the terminal libraries or a web framework."""
    assert loaded_by(program) & HEAVY == set()


def test_the_package_itself_costs_nothing() -> None:
    """`import lion_broker` loads neither a dependency nor asyncio; each name is imported when it is first used."""
    assert loaded_by("import lion_broker") & (HEAVY | FOR_WORK) == set()


def test_help_loads_no_more_than_it_prints() -> None:
    """`lion-broker --help` needs the command line's library, but no server's client and no data model."""
    assert loaded_by(HELP) & (HEAVY | FOR_WORK) == {"anyio", "asyncio", "typer"}


@pytest.mark.parametrize("name", lion_broker.__all__)
def test_every_public_name_is_there(name: str) -> None:
    """Each name of `__all__` can be taken from the package, and `dir()` shows it."""
    assert getattr(lion_broker, name) is not None
    assert name in dir(lion_broker)


def test_an_unknown_name_is_an_attribute_error() -> None:
    """A name that is not public reads as in any module, and so does its import."""
    with pytest.raises(AttributeError, match="module 'lion_broker' has no attribute 'Sesion'"):
        lion_broker.Sesion  # type: ignore[attr-defined]  # type checkers see it too  # noqa: B018
    with pytest.raises(ImportError, match="Sesion"):
        from lion_broker import Sesion  # type: ignore[attr-defined]  # noqa: F401


def test_submodules_stay_importable() -> None:
    """A module of the package is found as ever, by either way to write it."""
    assert importlib.import_module("lion_broker.demo").__name__ == "lion_broker.demo"
    loaded_by("from lion_broker import errors; assert errors.LionError")


def test_type_checkers_and_programs_see_the_same_names() -> None:
    """The names that are imported for type checkers are those of `__all__`, from where programs get them."""
    tree = ast.parse(Path(lion_broker.__file__).read_text())
    seen = {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("lion_broker.")
        for alias in node.names
    }
    assert sorted(seen) == sorted(lion_broker.__all__)
    for name, module in seen.items():
        assert getattr(importlib.import_module(str(module)), name) is getattr(lion_broker, name)


def test_no_module_inside_takes_names_from_the_package_root() -> None:
    """Inside, each name comes from where it is defined: the layers see it, and nothing is loaded by the way."""
    root = Path(lion_broker.__file__).parent
    assert [
        f"{path.relative_to(root)}:{node.lineno}"
        for path in sorted(root.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module == "lion_broker" and node.level == 0
        if any(alias.name in lion_broker.__all__ for alias in node.names)
    ] == []


READ_BACK = """
from lion_broker.core.element import Element
assert type(Element.from_dict({"metadata": {"lion_class": "Instruction"}})).__name__ == "Instruction"
"""
TAKE_A_NAME = """
from lion_broker import ConfigError, Element
try:
    type("Mail", (Element,), {})
except ConfigError as error:
    assert "Mail is taken by lion_broker" in str(error)
else:
    raise SystemExit("a class took the name of one of the package")
"""


@pytest.mark.parametrize("program", [READ_BACK, TAKE_A_NAME], ids=["read back", "take a name"])
def test_classes_that_nobody_has_used_are_known(program: str) -> None:
    """An element is read back, and its class name is reserved, before its module was ever asked for."""
    assert "pydantic" in loaded_by(program)
