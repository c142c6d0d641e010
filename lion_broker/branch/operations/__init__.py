"""What a branch can be asked to do, each operation in a file of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from .act import invoke_action
from .chat import chat
from .communicate import communicate
from .operate import operate
from .parse import parse

__all__ = ["OPERATIONS"]

OPERATIONS: Final[Mapping[str, Callable[..., Awaitable[Any]]]] = {
    "chat": chat,
    "communicate": communicate,
    "operate": operate,
    "parse": parse,
    "invoke_action": invoke_action,
}
"""The operations that end with a result, by name; each takes the branch and keywords. `stream` is one that goes on."""
