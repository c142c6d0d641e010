"""Runs a test of the conformance suite, or a scenario, outside of pytest: on an exchange with a mutant in it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib import import_module
from itertools import product
from types import ModuleType
from typing import Any

import pytest

from lion_broker.errors import LionError
from lion_broker.mail.exchange import Exchange
from lion_broker.testing import wait_until
from tests.conformance.road import Road
from tests.mutants.rig import Rig

__all__ = ["CAUGHT", "Trial", "impatient"]

CAUGHT = (AssertionError, LionError, LookupError, ValueError)
"""How a test fails: it insists on something, is refused something, or does not find what it was to unpack."""


class Trial:
    """One test or scenario, with all its cases."""

    def __init__(self, name: str) -> None:
        module, _, function = name.partition(".")
        package = "mutants" if module.startswith("scenarios") else "conformance"
        self.module: ModuleType = import_module(f"tests.{package}.{module}")
        self._function: Callable[..., None] = getattr(self.module, function)
        self._needs = set(inspect.signature(self._function).parameters)

    @property
    def needs_rig(self) -> bool:
        """Whether it needs a server beneath the exchange."""
        return "rig" in self._needs

    def run(self, exchange: Exchange, make_rig: Callable[[], Rig] | None = None) -> None:
        """Run every case, each with sessions of its own."""
        makers: dict[str, Callable[[], Any]] = {
            "exchange": lambda: exchange,
            "auto": lambda: Road(exchange, "auto").open(),
            "manual": lambda: Road(exchange, "manual").open(),
            "open_road": lambda: lambda **options: Road(exchange, **options).open(),
        }
        if make_rig is not None:
            makers |= {"rig": make_rig, "server": make_rig}
        for case in self._cases():
            self._function(**case, **{name: makers[name]() for name in self._needs - set(case)})

    def _cases(self) -> Iterator[Mapping[str, Any]]:
        """What the test is parametrized with."""
        marks = [mark for mark in getattr(self._function, "pytestmark", []) if mark.name == "parametrize"]
        for chosen in product(*(mark.args[1] for mark in marks)):
            case: dict[str, Any] = {}
            for mark, value in zip(marks, chosen, strict=True):
                names = mark.args[0].split(",") if isinstance(mark.args[0], str) else list(mark.args[0])
                values = value if len(names) > 1 else (value,)
                case |= zip((name.strip() for name in names), values, strict=True)
            yield case


def impatient(patch: pytest.MonkeyPatch, trial: Trial) -> None:
    """Give up early on what a mutant never comes to."""
    quick = partial(wait_until, timeout=0.5)
    for module in (import_module("tests.conformance.road"), trial.module):
        if hasattr(module, "wait_until"):
            patch.setattr(module, "wait_until", quick)
