"""The ids of all mail that has taken effect on a branch, so that none takes effect twice, in little memory."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left
from typing import Final

__all__ = ["KnownMails"]

_LATEST: Final = 512
"""Ids that are kept as they are, which is quickest and takes ten times as much."""
_SHELVES: Final = 128
_LOW: Final = 2**64 - 1
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class KnownMails:
    """A set of ids that only grows, by 16 bytes for each once there are many; nothing of it is ever forgotten.

    The latest are kept as they are. The others are numbers in two halves, sorted by the low half, which is random, on
    one of the shelves. An id sorts after all that were made before it: so of a new mail the shelves are hardly ever
    asked, but where clocks differ, or where a mail comes late.
    """

    __slots__ = ("_count", "_highs", "_latest", "_lows", "_most", "_newest")

    def __init__(self) -> None:
        self._latest: set[str] = set()
        self._most = _LATEST
        self._count = 0
        self._newest = ""
        """The newest on the shelves."""
        self._lows: list[array[int]] = []
        self._highs: list[array[int]] = []

    @property
    def latest(self) -> frozenset[str]:
        """Those that are kept as they are."""
        return frozenset(self._latest)

    def __len__(self) -> int:
        return len(self._latest) + self._count

    def __contains__(self, mail: str) -> bool:
        return mail in self._latest or (mail <= self._newest and self._is_shelved(mail))

    def add(self, mail: str) -> None:
        """Take note of a mail."""
        self._latest.add(mail)
        if len(self._latest) > self._most:
            self._put_away()

    def _is_shelved(self, mail: str) -> bool:
        if _UUID.fullmatch(mail) is None:
            return False
        number = int(mail.replace("-", ""), 16)
        low, high = number & _LOW, number >> 64
        lows, highs = self._lows[low % _SHELVES], self._highs[low % _SHELVES]
        at = bisect_left(lows, low)
        while at < len(lows) and lows[at] == low:
            if highs[at] == high:
                return True
            at += 1
        return False

    def _put_away(self) -> None:
        """Put what can be written as a number onto the shelves; other ids, of which no verb makes any, stay."""
        if not self._lows:
            self._lows, self._highs = ([array("Q") for _ in range(_SHELVES)] for _ in range(2))
        ids = [mail for mail in self._latest if _UUID.fullmatch(mail)]
        for mail in ids:
            if mail <= self._newest and self._is_shelved(mail):
                continue
            number = int(mail.replace("-", ""), 16)
            low = number & _LOW
            lows = self._lows[low % _SHELVES]
            at = bisect_left(lows, low)
            lows.insert(at, low)
            self._highs[low % _SHELVES].insert(at, number >> 64)
            self._count += 1
        self._newest = max(self._newest, *ids) if ids else self._newest
        self._latest.difference_update(ids)
        self._most = len(self._latest) + _LATEST
