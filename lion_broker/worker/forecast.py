"""What the next turn of a session will bring, as far as its last ones tell."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

__all__ = ["Forecast"]

_SESSIONS_KNOWN: Final = 1024
_LEARNING: Final = 0.5
"""The weight of the latest turn."""


class Forecast:
    """How many mails claims and commits of sessions usually bring, each an exponentially weighted average.

    They are told apart: where a claim brings all that waits, the commit after it brings nothing, and the next claim as
    much as the last one. Of a session that is new nothing is known but that a turn has `most` at most.
    """

    def __init__(self, most: int) -> None:
        self._most = float(most)
        self._usual: OrderedDict[str, dict[bool, float]] = OrderedDict()

    def expected(self, session: str, *, commits: bool) -> float:
        """Return how many mails the next claim of a session brings, or its next commit."""
        usual = self._usual.get(session)
        return self._most if usual is None else usual.get(commits, self._most)

    def learn(self, session: str, mails: int, *, commits: bool) -> float:
        """Note what one has brought; returns what a turn of the session usually has at most."""
        usual = self._usual.get(session)
        if usual is None:
            if len(self._usual) >= _SESSIONS_KNOWN:
                self._usual.popitem(last=False)
            usual = self._usual[session] = {}
        before = usual.get(commits, mails)
        usual[commits] = before + _LEARNING * (mails - before)
        self._usual.move_to_end(session)
        return max(usual.values())
