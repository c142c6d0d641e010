"""Finding the registry that `--app` names, and saying what is wrong with it."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lion_broker import ConfigError, Registry
from lion_broker.cli.loading import check_registry, load_registry

MODULES = {
    "lion_fine": "from lion_broker import Registry\nregistry = Registry()\nnumber = 3\n",
    "lion_fails": "\nraise RuntimeError('boom\\nboom')\n",
    "lion_exits": "raise SystemExit(3)\n",
    "lion_broken": "x = (\n",
    "lion_needs": "import lion_nowhere\n",
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A current directory with modules; they are forgotten afterwards."""
    for name, text in MODULES.items():
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    for name in MODULES:
        sys.modules.pop(name, None)


def test_a_module_in_the_current_directory_is_found() -> None:
    """No installation and no PYTHONPATH is needed."""
    assert isinstance(load_registry("lion_fine:registry"), Registry)


@pytest.mark.parametrize(
    ("app", "said"),
    [
        ("lion_fine", "package.module:name, for example lion_fine:registry."),
        (":registry", "package.module:name"),
        ("lion_fine:a.b", "package.module:name"),
        ("lion_nowhere:registry", "no module 'lion_nowhere'"),
        ("lion_nowhere.deeper:registry", "no module 'lion_nowhere'"),
        ("lion_needs:registry", "imports 'lion_nowhere', which is not installed"),
        ("lion_fine:other", "has no 'other'. Give --app lion_fine:registry."),
        ("lion_fine:number", "is of type int, not a Registry"),
        ("lion_fails:registry", "RuntimeError: boom boom (/"),
        ("lion_exits:registry", "SystemExit: 3"),
        ("lion_broken:registry", "SyntaxError"),
    ],
)
def test_each_mistake_has_its_sentence(app: str, said: str) -> None:
    """What is wrong with `--app` is a ConfigError that names it."""
    with pytest.raises(ConfigError) as caught:
        load_registry(app)
    assert said in str(caught.value)


def test_a_failing_module_is_named_with_the_line(folder: Path) -> None:
    """The place of the failure in the user's module is part of the message, and no place of this package."""
    with pytest.raises(ConfigError) as caught:
        load_registry("lion_fails:registry")
    assert str(caught.value).endswith(f"({folder / 'lion_fails.py'}, line 2).")
    assert "loading.py" not in str(caught.value)


def test_a_process_of_its_own_tries_first(capfd: pytest.CaptureFixture[str]) -> None:
    """It finds what workers would find, prints nothing, and nothing of the module is left here."""
    check_registry("lion_fine:registry", os.environ)
    with pytest.raises(ConfigError, match="Give --app lion_fine:registry"):
        check_registry("lion_fine:other", os.environ)
    with pytest.raises(ConfigError, match="RuntimeError: boom boom"):
        check_registry("lion_fails:registry", os.environ)
    assert not [name for name in MODULES if name in sys.modules]
    assert capfd.readouterr() == ("", "")
