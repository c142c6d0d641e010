"""The key under which a call to the outside may be recognised when it is made again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["idempotency_key", "keyed"]

_key: ContextVar[str | None] = ContextVar("lion_broker_idempotency_key", default=None)


def idempotency_key() -> str | None:
    """Return the key of the tool or model call that is being made; None where calls are not recorded.

    It is the same when a turn is done again after its worker died, and another one for each other call: a service that
    takes it does its work once.
    """
    return _key.get()


@contextmanager
def keyed(key: str) -> Iterator[None]:
    """Within this, calls have the key."""
    token = _key.set(key)
    try:
        yield
    finally:
        _key.reset(token)
