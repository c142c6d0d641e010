"""A stream of an in-process exchange."""

from __future__ import annotations

from bisect import bisect_right
from typing import Generic, TypeVar

from lion_broker.mail.records import START, place_of

__all__ = ["Stream"]

V = TypeVar("V")


class Stream(Generic[V]):
    """Values under ids that grow; an id is never given twice."""

    def __init__(self) -> None:
        self._ids: list[str] = []
        self._values: dict[str, V] = {}

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, entry: str) -> bool:
        return entry in self._values

    def __getitem__(self, entry: str) -> V:
        return self._values[entry]

    def append(self, entry: str, value: V) -> None:
        """Put a value at the end, under an id after all others."""
        self._ids.append(entry)
        self._values[entry] = value

    def pop(self, entry: str) -> V:
        """Take a value out; KeyError when it is not there."""
        value = self._values.pop(entry)
        del self._ids[bisect_right(self._ids, place_of(entry), key=place_of) - 1]
        return value

    def after(self, entry: str = START, limit: int | None = None) -> list[tuple[str, V]]:
        """The first ids and values after an id."""
        first = bisect_right(self._ids, place_of(entry), key=place_of)
        last = None if limit is None else first + limit
        return [(found, self._values[found]) for found in self._ids[first:last]]

    @property
    def newest(self) -> str:
        """The last id, or START."""
        return self._ids[-1] if self._ids else START
