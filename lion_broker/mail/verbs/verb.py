"""What every verb is."""

from __future__ import annotations

from typing import Generic, TypeVar

__all__ = ["BATCH", "LEASE_MS", "MOVED", "Verb"]

A_co = TypeVar("A_co", covariant=True)

LEASE_MS = 10_000
BATCH = 200
MOVED = 500
"""Mails that one step of a round moves at most: a kibibyte each, they hold a server for about 4 ms."""


class Verb(Generic[A_co]):
    """A question to the exchange whose answer is an `A_co`."""

    __slots__ = ()
