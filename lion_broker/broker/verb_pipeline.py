"""Verbs that follow one another on a connection of their own, while whoever asks for them does something else."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as NoAnswer

from lion_broker.mail.exchange import Exchange, VerbPipeline
from lion_broker.mail.verbs import Verb

from .connection import DedicatedConnection, translate
from .requests import Request

__all__ = ["ServerPipeline"]


class ServerPipeline(VerbPipeline):
    """Writes verbs to a server without waiting for its replies, as long as `request` says that they are simple ones.

    What is more than that, and whatever is not answered as it should be, is asked for again as all other verbs are: by
    the exchange, which knows what to do about it and has patience. `seconds` is how long a server may be silent.
    """

    def __init__(
        self,
        exchange: Exchange,
        dedicated: Callable[[], DedicatedConnection],
        request: Callable[[Sequence[Verb[Any]]], Request | None],
        read: Callable[[Request, Sequence[Any]], Any],
        seconds: float,
    ) -> None:
        super().__init__(exchange)
        self._open = dedicated
        self._request = request
        self._read = read
        self._seconds = seconds
        self._connection: DedicatedConnection | None = None
        self._going: deque[tuple[Verb[Any], Request]] = deque()

    def begin(self, verb: Verb[Any], /) -> None:
        """Ask for a verb behind those before; blocks while the socket is full."""
        if self._going and self._connection is None:
            self._ask_again()
        request = self._request((verb,))
        if request is None:
            self._take(0)
            super().begin(verb)
            return
        self._going.append((verb, request))
        try:
            self._connection = self._connection or self._open()
            self._connection.write(request.commands)
        except (RedisError, OSError) as error:
            self._lose(error)
        except BaseException:
            self.close()
            raise

    def answers(self, most: int = 0) -> list[Any]:
        """Return the answers that have come since the last time; see `VerbPipeline`."""
        self._take(most)
        return super().answers(most)

    def close(self) -> None:
        """Let go of the connection. What has no answer yet may be asked for again."""
        dedicated, self._connection = self._connection, None
        if dedicated is not None:
            dedicated.close()

    def _take(self, most: int) -> None:
        try:
            while (
                self._going
                and self._connection is not None
                and (len(self._going) > most or self._connection.has_come())
            ):
                request = self._going[0][1]
                replies = self._connection.read(len(request.commands), self._seconds)
                for reply in replies:
                    if isinstance(reply, ResponseError):
                        raise reply
                self._answered.append(self._read(request, replies))
                self._going.popleft()
        except (RedisError, OSError) as error:
            self._lose(error)
        except BaseException:
            self.close()
            raise
        if self._going and self._connection is None:
            self._ask_again()

    def _lose(self, error: Exception) -> None:
        """Close the connection; raises BrokerUnavailable when there was patience enough with the server."""
        self.close()
        if isinstance(error, NoAnswer):
            raise translate(error, self._exchange.url) from error

    def _ask_again(self) -> None:
        self._answered += self._exchange.call_all([verb for verb, _ in self._going])
        self._going.clear()
