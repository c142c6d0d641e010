"""What every verb needs on its way to a server: keys, codec, and how a function is called. No I/O."""

from __future__ import annotations

from collections.abc import Sequence

from .codec import Codec
from .keys import Keys
from .library import library
from .requests import Argument, Command

__all__ = ["OpenNamespace", "call"]


class OpenNamespace:
    """What every function needs: the keys and the codec of one namespace."""

    def __init__(self, keys: Keys, codec: Codec) -> None:
        self.keys = keys
        self.codec = codec


def call(function: str, keys: Sequence[str], *args: Argument) -> Command:
    """Return the command that calls a function of the library."""
    return ("FCALL", library().prefix + function, len(keys), *keys, *args)
