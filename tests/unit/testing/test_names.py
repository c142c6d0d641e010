"""What the kit costs a program that only has it installed."""

import subprocess
import sys

import pytest

import lion_broker.testing


def loaded_by(program: str) -> set[str]:
    """The modules that a fresh interpreter holds after it has run `program`."""
    told = f"{program}\nimport sys; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    return set(result.stdout.split())


@pytest.mark.parametrize("name", lion_broker.testing.__all__)
def test_every_name_is_there(name: str) -> None:
    """Each name of `__all__` can be taken from the package."""
    assert getattr(lion_broker.testing, name).__module__.startswith("lion_broker.testing.")


def test_an_unknown_name_is_an_attribute_error() -> None:
    """A name that is not public reads as in any module."""
    with pytest.raises(AttributeError, match=r"module 'lion_broker\.testing' has no attribute 'Sripted'"):
        lion_broker.testing.Sripted  # type: ignore[attr-defined]  # noqa: B018


def test_the_package_does_not_bring_the_kit() -> None:
    """Programs that do not test load none of it."""
    assert not [name for name in loaded_by("from lion_broker import *") if name.startswith("lion_broker.testing")]


def test_the_kit_does_not_bring_pytest() -> None:
    """It serves any way of testing; only the plugin speaks to pytest."""
    assert "pytest" not in loaded_by("from lion_broker.testing import *")


def test_the_plugin_loads_nothing_else() -> None:
    """pytest loads the plugin in every run, so it must not bring what its fixtures need."""
    loaded = {name for name in loaded_by("import lion_broker.testing.plugin") if name.startswith("lion_broker")}
    assert loaded == {"lion_broker", "lion_broker.testing", "lion_broker.testing.plugin"}
