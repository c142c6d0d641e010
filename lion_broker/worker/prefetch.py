"""How many mails a branch is given at once: as many as it has work with for a moment; others stay in its mailbox."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

__all__ = ["Prefetch"]

_AHEAD_SECONDS: Final = 0.4
"""For so long a branch has work with the mails that are handed out to it at once."""
_UNTRIED: Final = 8
"""So many are claimed where branches are needed, before a turn of their session has told how long mails take."""
_LEARNING: Final = 0.5
"""The weight of the latest turn."""
_SESSIONS_KNOWN: Final = 1024


class Prefetch:
    """How many mails claims and commits of a worker ask for, by how long those of a session have taken their branches.

    A commit goes by the turn that it ends, a claim, which follows none, by the latest turns of its session.
    """

    def __init__(self) -> None:
        self._usual: OrderedDict[str, float] = OrderedDict()

    def of_claim(self, session: str, batch: int, *, needed: bool) -> int:
        """Return how many of a `batch` are claimed; `needed` says whether mail is more than written down."""
        each = self._usual.get(session)
        if each is None:
            return min(batch, _UNTRIED) if needed else batch
        return batch if each * batch <= _AHEAD_SECONDS else max(1, int(_AHEAD_SECONDS / each))

    def of_commit(self, session: str, batch: int, seconds: float, done: int, left: int) -> int:
        """Return how many of a `batch` come with the commit of a turn that has `done` and `left` so many mails."""
        each = seconds / done if done else seconds
        try:
            self._usual[session] += _LEARNING * (each - self._usual[session])
        except KeyError:
            self._usual[session] = each
            if len(self._usual) > _SESSIONS_KNOWN:
                self._usual.popitem(last=False)
        if each * batch <= _AHEAD_SECONDS:
            return batch
        # None at all would hand the branch back.
        return max(1, int(_AHEAD_SECONDS / each) - left)
