"""What the fake server decides about each request, and what it remembers of it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .answer import Answer
from .openai import error_body, model_list
from .refusal import key_refusal, request_refusal
from .reply import Reply, plain_reply, reply_to
from .request import Received
from .script import Script

if TYPE_CHECKING:
    from .connection import Connection

__all__ = ["AnswerFunction", "Responder"]

AnswerFunction = Callable[[dict[str, Any]], Answer | str]

_CHATS = ("/v1/chat/completions", "/v1/messages")
_DEFAULT = Answer("ok")


class Responder:
    """Takes the requests of all connections, in the server's thread; tests write and read it from theirs."""

    def __init__(self, api_key: str | None, models: tuple[str, ...], strict: bool) -> None:
        self.script: Script[Answer | AnswerFunction] = Script()
        self.refused: set[str] = set()
        self.delay = 0.0
        self.requests: list[Received] = []
        self.abandoned: list[Received] = []
        self.connections: set[Connection] = set()
        self.opened_so_far = 0
        self.busiest = 0
        self._busy = 0
        self._api_key = api_key
        self._models = models
        self._strict = strict
        self._numbers = itertools.count(1)

    def opened(self, connection: Connection) -> None:
        """Note that a client has connected."""
        self.connections.add(connection)
        self.opened_so_far += 1

    def closed(self, connection: Connection, unanswered: Received | None) -> None:
        """Note that it has gone, and the request for whose answer it has not waited."""
        self.connections.discard(connection)
        if unanswered is not None:
            self._busy -= 1
            self.abandoned.append(unanswered)

    def answered(self) -> None:
        """Note that an answer has gone out."""
        self._busy -= 1

    def reply(self, request: Received) -> tuple[Reply, float]:
        """Return what to send, and after how many seconds."""
        self.requests.append(request)
        self._busy += 1
        self.busiest = max(self.busiest, self._busy)
        if self._api_key is not None and (refused := key_refusal(request, self._api_key)):
            return reply_to(request, refused, 0), 0.0
        if request.method == "POST" and request.path in _CHATS:
            answer = request_refusal(request, self.refused, self._strict) or self._answer(request)
            delay = self.delay if answer.delay is None else answer.delay
            return reply_to(request, answer, next(self._numbers)), delay
        if request.method == "GET" and request.path == "/v1/models":
            return plain_reply(model_list(self._models)), 0.0
        missing = Answer(f"Invalid URL ({request.method} {request.path})", status=404)
        return plain_reply(error_body(missing), 404), 0.0

    def _answer(self, request: Received) -> Answer:
        chosen = self.script.take()
        if chosen is None or isinstance(chosen, Answer):
            return chosen or _DEFAULT
        try:
            made = chosen(dict(request.body))
        except Exception as error:  # a server whose thread ended would only be silent
            return Answer(f"the function given to answers() raised {error!r}", status=500)
        return Answer(made) if isinstance(made, str) else made
