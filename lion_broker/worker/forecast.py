"""What the next turn of a session will bring, as far as its last ones tell."""

from __future__ import annotations

from collections import OrderedDict
from enum import IntEnum, auto
from typing import Final

__all__ = ["Forecast", "Source"]

_SESSIONS_KNOWN: Final = 1024
_LEARNING: Final = 0.5
"""The weight of the latest turn."""


class Source(IntEnum):
    """How mails come to a worker: with the mark of an idle branch, with a claim, or with the commit of a turn."""

    MARK = auto()
    CLAIM = auto()
    COMMIT = auto()


class Forecast:
    """How many mails claims and commits of sessions usually bring, each an exponentially weighted average.

    They are told apart: a mark brings one mail; where a claim brings all that waits, the commit after it brings
    nothing, and the next claim as much as the last one. Of a session that is new nothing is known but that a turn has
    `most` at most.
    """

    def __init__(self, most: int) -> None:
        self._most = float(most)
        self._usual: OrderedDict[str, dict[Source, float]] = OrderedDict()

    def expected(self, session: str, source: Source) -> float:
        """Return how many mails come to a session from a source the next time."""
        usual = self._usual.get(session)
        return self._most if usual is None else usual.get(source, self._most)

    def forget(self, session: str) -> None:
        """Know nothing of a session any more."""
        self._usual.pop(session, None)

    def learn(self, session: str, mails: int, source: Source) -> float:
        """Note how many have come; returns how many usually come from the source that brings most."""
        usual = self._usual.get(session)
        if usual is None:
            if len(self._usual) >= _SESSIONS_KNOWN:
                self._usual.popitem(last=False)
            usual = self._usual[session] = {}
        before = usual.get(source, mails)
        usual[source] = before + _LEARNING * (mails - before)
        self._usual.move_to_end(session)
        return max(usual.values())
