"""What the fake server does with a request: answer it, or fail in one of the ways of real servers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pydantic_core import to_json

__all__ = ["Answer", "Call", "Fault", "calls_of", "text_of"]


class Fault(StrEnum):
    """How an answer fails to arrive; NONE when it arrives."""

    NONE = "none"
    GARBAGE = "garbage"
    """The text arrives as it is where JSON belongs."""
    HANG_UP = "hang up"
    """The connection is closed."""
    END = "end"
    """The response ends in good order, but the stream's own end mark never came."""
    ERROR = "error"
    """An error object arrives in the stream, and then its end."""
    SILENCE = "silence"
    """Nothing more arrives, and the connection stays open."""


@dataclass(frozen=True, slots=True)
class Call:
    """A tool that the model wants called. `arguments` are JSON text, which may be broken; without an id it gets one."""

    name: str
    arguments: str = "{}"
    id: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of the server; what is left at its default is filled in as a real server would.

    A `status` other than 200, or an `error`, sends an error object with the message `text`. A `fault` happens after
    `after` chunks of a stream, and without a stream before anything is sent. Times are in seconds: `delay` before the
    first byte (None: what the server's `delays` says), `pause` between two chunks of a stream.
    """

    text: str = ""
    calls: tuple[Call, ...] = ()
    finish_reason: str = ""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    status: int = 200
    error: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    fault: Fault = Fault.NONE
    after: int = 0
    delay: float | None = None
    pause: float = 0.0

    @property
    def is_error(self) -> bool:
        """Whether the server refuses, or says with status 200 that it failed."""
        return self.status != 200 or (self.error is not None and self.fault is Fault.NONE)

    @property
    def finished(self) -> str:
        """Why the model stopped, in OpenAI's words."""
        return self.finish_reason or ("tool_calls" if self.calls else "stop")


def text_of(value: object) -> str:
    """Return text as it is, and anything else as the JSON that a model asked for JSON would write."""
    return value if isinstance(value, str) else to_json(value).decode()


def calls_of(named: tuple[object, ...]) -> Iterator[Call]:
    """Read calls as a person writes them: `"add", {"a": 1}, {"a": 2}, "now"` are two calls of add and one of now.

    A mapping calls the tool named before it; a name without one is called without arguments. A `Call`, or whatever has
    a name and arguments as text, is taken as it is. Raises TypeError for arguments without a name.
    """
    name, waits = "", False
    for one in named:
        if waits and not isinstance(one, Mapping):
            yield Call(name)
        waits = isinstance(one, str)
        match one:
            case str():
                name = one
            case Mapping() if name:
                yield Call(name, text_of(one))
            case Mapping():
                raise TypeError(f"which tool is called with {one!r}? Put its name before the arguments.")
            case _:
                yield _call(one)
    if waits:
        yield Call(name)


def _call(value: Any) -> Call:
    try:
        return Call(value.name, value.arguments, value.id)
    except AttributeError:
        raise TypeError(f"a call is a name and its arguments, or a Call, not {value!r}") from None
