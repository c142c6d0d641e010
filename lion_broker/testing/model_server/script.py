"""The answers that a fake server or a scripted model gives, one after the other."""

from __future__ import annotations

from typing import Generic, TypeVar

__all__ = ["Script"]

T = TypeVar("T")


class Script(Generic[T]):
    """A list of answers that is read once; a new one may be added at any time, from any thread."""

    def __init__(self) -> None:
        self._written: list[T] = []
        self._read = 0

    def add(self, *answers: T) -> None:
        """Write answers at the end."""
        self._written += answers

    def take(self) -> T | None:
        """Return the next answer; after the last one the last again, and None when there never was any."""
        if self._read < len(self._written):
            self._read += 1
        return self._written[self._read - 1] if self._written else None

    @property
    def left(self) -> int:
        """How many answers nobody has taken yet."""
        return len(self._written) - self._read
