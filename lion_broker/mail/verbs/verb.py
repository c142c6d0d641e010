"""What every verb is."""

from __future__ import annotations

from typing import Generic, TypeVar

__all__ = ["BATCH", "LEASE_MS", "Verb"]

A_co = TypeVar("A_co", covariant=True)

LEASE_MS = 10_000
BATCH = 200


class Verb(Generic[A_co]):
    """A question to the exchange whose answer is an `A_co`."""

    __slots__ = ()
