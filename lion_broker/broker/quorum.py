"""How many replicas are to have what was written before its answer counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from redis import exceptions as errors

from lion_broker.core.numbers import counted

from .requests import Command

__all__ = ["Quorum", "TooFewReplicas"]


class TooFewReplicas(errors.ConnectionError):
    """Raised when too few replicas have confirmed a write in time; asking again waits for the same write."""


@dataclass(frozen=True, slots=True)
class Quorum:
    """How many replicas must have what commands have written, and for how many ms they may take."""

    count: int
    ms: int

    @property
    def command(self) -> Command:
        """What waits for them, on the connection of the writes."""
        return ("WAIT", self.count, self.ms)

    def insist(self, reply: Any) -> None:
        """Raise TooFewReplicas unless the reply to the command says that there are enough."""
        if isinstance(reply, Exception):
            raise reply
        if reply < self.count:
            raise TooFewReplicas(
                f"{reply} of {counted(self.count, 'replica')} confirmed it within {self.ms / 1000:g} s"
            )
