"""Acts: calls of models and tools, and what waits for a limit, as they happen inside the handling of a mail.

Whoever handles a mail collects them (`collected`), whoever calls says so (`act`), and neither knows of the other.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

__all__ = ["Act", "ActKind", "act", "collected"]


class ActKind(StrEnum):
    """What an act was."""

    MODEL = "model"
    TOOL = "tool"
    WAIT = "wait"


@dataclass(slots=True)
class Act:
    """One act: its kind, what was called, when by this process's clock (seconds since the epoch), how it ended.

    `error` is the class of what was raised, empty when nothing was. `fields` are further facts that fit into JSON, such
    as tokens; never what was said.
    """

    kind: ActKind
    name: str
    began: float
    seconds: float = 0.0
    error: str = ""
    fields: dict[str, Any] = field(default_factory=dict)


_acts: ContextVar[list[Act] | None] = ContextVar("lion_broker_acts", default=None)


@contextmanager
def collected() -> Iterator[list[Act]]:
    """Collect the acts of everything that is called inside, in this task and those that it starts."""
    found: list[Act] = []
    token = _acts.set(found)
    try:
        yield found
    finally:
        _acts.reset(token)


@contextmanager
def act(kind: ActKind, name: str) -> Iterator[Act]:
    """Say that something is being called; the act that is yielded takes further facts."""
    done = Act(kind, name, time.time())
    began = time.perf_counter()
    try:
        yield done
    except BaseException as error:
        done.error = type(error).__name__
        raise
    finally:
        done.seconds = time.perf_counter() - began
        acts = _acts.get()
        if acts is not None:
            acts.append(done)
