"""Exchanges in memory that behave as a real server may at its worst."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import anyio.lowlevel

from lion_broker.errors import BrokerError, BrokerUnavailable
from lion_broker.mail.memory import MemoryExchange
from lion_broker.mail.verbs import Verb

__all__ = ["Forgetful", "Interrupted", "Jittery"]

MOST = 5000
"""How often an exchange is asked in one test; more is an endless loop."""


class _Bounded(MemoryExchange):
    """Fails rather than to be asked for ever."""

    asked = 0

    def call_all(self, verbs: Sequence[Verb[Any]], /) -> list[Any]:
        """Do the verbs."""
        self._count(verbs)
        return super().call_all(verbs)

    async def acall_all(self, verbs: Sequence[Verb[Any]], /, **way: Any) -> list[Any]:
        """Do the verbs."""
        self._count(verbs)
        return await super().acall_all(verbs, **way)

    def _count(self, verbs: Sequence[Verb[Any]]) -> None:
        self.asked += 1
        if self.asked > MOST:
            raise BrokerError(f"Asked {MOST} times, at last for {verbs}.")


class Forgetful(_Bounded):
    """Loses its next answer to a verb of the kind `loses`, having done it; does not hear the next one of `misses`."""

    loses: type[Verb[Any]] | None = None
    misses: type[Verb[Any]] | None = None

    def call_all(self, verbs: Sequence[Verb[Any]], /) -> list[Any]:
        """Do the verbs; raises BrokerUnavailable when it is the moment."""
        if self.misses is not None and any(isinstance(verb, self.misses) for verb in verbs):
            self.misses = None
            raise BrokerUnavailable("The question was lost on the way.")
        answers = super().call_all(verbs)
        if self.loses is not None and any(isinstance(verb, self.loses) for verb in verbs):
            self.loses = None
            raise BrokerUnavailable("The answer was lost on the way.")
        return answers


class Interrupted(_Bounded):
    """Lets somebody else act between the doing of a verb and its answer: `interrupt(Send, act)`, once."""

    _kind: type[Verb[Any]] | None = None
    _act: Callable[[], object]

    def interrupt(self, kind: type[Verb[Any]], act: Callable[[], object]) -> None:
        """Call `act` before the next answer to a verb of this kind is known."""
        self._kind, self._act = kind, act

    async def acall_all(self, verbs: Sequence[Verb[Any]], /, **way: Any) -> list[Any]:
        """Do the verbs."""
        answers = await super().acall_all(verbs, **way)
        if self._kind is not None and any(isinstance(verb, self._kind) for verb in verbs):
            self._kind = None
            self._act()
            await anyio.lowlevel.checkpoint()
        return answers


class Jittery(_Bounded):
    """Answers sooner or later, so that tasks which ask at the same time get mixed up."""

    async def acall_all(self, verbs: Sequence[Verb[Any]], /, **way: Any) -> list[Any]:
        """Do the verbs, after and before some turns of the event loop."""
        await self._dawdle()
        answers = await super().acall_all(verbs, **way)
        await self._dawdle()
        return answers

    async def _dawdle(self) -> None:
        for _ in range(random.randrange(5)):  # noqa: S311 - any order will do
            await anyio.lowlevel.checkpoint()
