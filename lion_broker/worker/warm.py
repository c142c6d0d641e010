"""Branches as a worker left them, kept for their next turns."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from lion_broker.branch.host import Host

__all__ = ["BRANCHES", "WarmBranches"]

BRANCHES: Final = 256
MESSAGES: Final = 200_000
"""A message takes one or two kilobytes, or what its content takes."""


class WarmBranches:
    """Hosts of branches that have no turn, up to so many branches and so many messages of them all.

    Those used longest ago make room; one that has more messages than that alone is kept alone, since it is the most
    costly to read again. What makes room is retired, and freed at once: a worker has the collector look at old objects
    hardly ever, and a collection holds all branches up.
    """

    def __init__(self, branches: int = BRANCHES, messages: int = MESSAGES) -> None:
        self._most = branches, messages
        self._kept: OrderedDict[str, tuple[Host, int]] = OrderedDict()
        self._messages = 0

    def keep(self, host: Host) -> None:
        """Keep a branch until it is taken or has to make room."""
        self.take(host.branch.id)
        size = len(host.branch.messages)
        self._kept[host.branch.id] = host, size
        self._messages += size
        branches, messages = self._most
        while len(self._kept) > branches or (self._messages > messages and len(self._kept) > 1):
            longest_ago = self.take(next(iter(self._kept)))
            if longest_ago is not None:
                longest_ago.retire()

    def __contains__(self, branch: str) -> bool:
        """Whether a branch is here."""
        return branch in self._kept

    def take(self, branch: str) -> Host | None:
        """Return a branch, which is kept no longer; None when it is not here."""
        host, size = self._kept.pop(branch, (None, 0))
        self._messages -= size
        return host
