"""A question to the server without any I/O: the commands to send, and how to read the replies."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple

from hiredis import pack_command

from lion_broker.errors import ConfigError
from lion_broker.mail.verbs import Dispatch

__all__ = ["Argument", "Command", "Later", "Request", "are_many_mails", "never", "packed", "together"]

_MANY_MAILS: Final = 100
Argument = str | bytes | int | float
Command = tuple[Argument, ...]


def never(replies: Sequence[Any]) -> bool:
    """Say of a request that is done with its first replies, whatever they are."""
    return False


class Request(NamedTuple):
    """Commands that go in one round trip, and what their replies mean.

    `wait_ms` is how long the server may hold the first command before it answers. While `again(replies)` holds, the
    commands are sent once more: a bounded batch left something to do.
    """

    commands: tuple[Command, ...]
    parse: Callable[[Sequence[Any]], Any]
    wait_ms: int = 0
    again: Callable[[Sequence[Any]], bool] = never


def together(requests: Sequence[Request]) -> Request:
    """Return one request for several that are done with their first replies; it means the list of what they mean."""

    def parse(replies: Sequence[Any]) -> list[Any]:
        rest = iter(replies)
        return [one.parse(list(islice(rest, len(one.commands)))) for one in requests]

    commands = tuple([command for one in requests for command in one.commands])
    return Request(commands, parse, max([one.wait_ms for one in requests]))


class Later:
    """Verbs that become requests one by one, while somebody goes through their commands.

    So the server works on what has gone while the next is made. `requests` are those of the last time through.
    """

    def __init__(self, make: Callable[[Any], Request], verbs: Sequence[Any]) -> None:
        self._make = make
        self._verbs = verbs
        self.requests: list[Request] = []

    def __iter__(self) -> Iterator[tuple[Command, ...]]:
        self.requests = []
        for verb in self._verbs:
            self.requests.append(self._make(verb))
            yield self.requests[-1].commands

    def __bool__(self) -> bool:
        return bool(self._verbs)


def packed(commands: Sequence[Command]) -> bytes:
    """Return commands as the bytes of one write; raises ConfigError for half a character."""
    try:
        if len(commands) == 1:
            whole: bytes = pack_command(commands[0])  # type: ignore[arg-type]
            return whole
        return b"".join([pack_command(command) for command in commands])  # type: ignore[arg-type]  # a union is narrower
    except UnicodeEncodeError as error:
        raise ConfigError(f"Half a character (a lone surrogate) cannot be sent to a server: {error}.") from error


def are_many_mails(verbs: Sequence[Any]) -> bool:
    """Whether verbs carry so much that the server had better begin with the first before the others are made."""
    carried = [len(verb.mails) if isinstance(verb, Dispatch) else 0 for verb in verbs]
    return len(carried) > 1 and min(carried) > 0 and sum(carried) >= _MANY_MAILS
