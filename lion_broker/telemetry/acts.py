"""Acts: calls of models and tools, and what waits for a limit, as they happen inside the handling of a mail.

Whoever handles a mail collects them (`collected`), whoever calls says so (`act`), and neither knows of the other.
Watchers see every act of the process while it happens: they count, and make spans of it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Protocol

__all__ = ["Act", "ActKind", "Collected", "ModelCall", "ToolUse", "Watcher", "act", "collected", "reused", "watch"]


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


@dataclass(slots=True, repr=False)
class ModelCall:
    """A call of a model as its caller knows it, for watchers only: what was asked, and in the end what was answered.

    `here` says that the model runs inside this process. `reply` has the attributes of a ModelReply. Of a stream,
    `first` is when its first chunk came and `last` when the last, by `time.perf_counter`, and `chunks` how many came.
    """

    provider: str
    model: str
    parameters: Mapping[str, Any]
    messages: Sequence[Mapping[str, Any]]
    url: str = ""
    here: bool = False
    streams: bool = False
    reply: Any = None
    began: float = field(default_factory=time.perf_counter)
    first: float = 0.0
    last: float = 0.0
    chunks: int = 0

    def heard(self) -> None:
        """Note that a chunk has come."""
        self.last = time.perf_counter()
        self.first = self.first or self.last
        self.chunks += 1


@dataclass(slots=True, repr=False)
class ToolUse:
    """A call of a tool as its caller knows it, for watchers only."""

    description: str
    arguments: Mapping[str, Any]
    result: Any = None


class Watcher(Protocol):
    """Sees acts: what `begun` returns comes back with the end. Neither may raise."""

    def begun(self, act: Act, call: ModelCall | ToolUse | None) -> object:
        """See an act begin, in the task that does it."""

    def ended(self, act: Act, call: ModelCall | ToolUse | None, seen: Any) -> None:
        """See the same act end; its `seconds` and `error` say how."""


_watchers: tuple[Watcher, ...] = ()


def watch(watcher: Watcher) -> Callable[[], None]:
    """Let a watcher see every act from now on; returns what ends that."""
    global _watchers
    _watchers = (*_watchers, watcher)

    def leave() -> None:
        global _watchers
        _watchers = tuple(one for one in _watchers if one is not watcher)

    return leave


_OPENTELEMETRY: Final = "opentelemetry.trace"


def _find_telemetry() -> None:
    """Let OpenTelemetry watch, where this process uses it."""
    from .otel import otel

    otel()


_acts: ContextVar[list[Act] | None] = ContextVar("lion_broker_acts", default=None)


class Collected:
    """Collects acts for the length of a block; every turn enters one, so it is no generator."""

    __slots__ = ("_found", "_token")

    def __enter__(self) -> list[Act]:
        self._found: list[Act] = []
        self._token: Token[list[Act] | None] = _acts.set(self._found)
        return self._found

    def __exit__(self, *error: object) -> None:
        _acts.reset(self._token)


def collected() -> Collected:
    """Collect the acts of everything that is called inside, in this task and those that it starts."""
    return Collected()


def reused(kind: ActKind, name: str, fields: Mapping[str, Any]) -> None:
    """Say that what came of an act is known already, so that nothing is called; watchers, who count calls, see none."""
    acts = _acts.get()
    if acts is not None:
        acts.append(Act(kind, name, time.time(), fields={"reused": True, **fields}))


@contextmanager
def act(kind: ActKind, name: str, call: ModelCall | ToolUse | None = None) -> Iterator[Act]:
    """Say that something is being called; the act that is yielded takes further facts."""
    done = Act(kind, name, time.time())
    if _OPENTELEMETRY in sys.modules:
        _find_telemetry()
    seen = [(watcher, watcher.begun(done, call)) for watcher in _watchers] if _watchers else ()
    began = time.perf_counter()
    try:
        yield done
    except BaseException as error:
        done.error = type(error).__name__
        raise
    finally:
        done.seconds = time.perf_counter() - began
        for watcher, token in seen:
            watcher.ended(done, call, token)
        acts = _acts.get()
        if acts is not None:
            acts.append(done)
