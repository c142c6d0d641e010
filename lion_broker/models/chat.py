"""The endpoints over HTTP: one way to ask, to try again and to stream, for every dialect."""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import SecretStr
from pydantic_core import to_json

from lion_broker.core.idempotency import idempotency_key
from lion_broker.errors import ModelNotConfigured, ModelRefused
from lion_broker.models.dialect import Dialect
from lion_broker.models.endpoint import ChatMessage
from lion_broker.models.failure import Failure, Secrets
from lion_broker.models.http import Request, pool_of
from lion_broker.models.providers.chat_completions import ChatCompletions
from lion_broker.models.providers.messages import Messages
from lion_broker.models.reply import ModelChunk, ModelReply
from lion_broker.models.retry import Attempts, Patience
from lion_broker.models.sse import EventParser
from lion_broker.telemetry import logger

__all__ = ["ChatCompletionEndPoint", "HttpEndPoint", "MessagesEndPoint"]

log = logger("models")

_END_SECONDS: Final = 0.5
_ONCE: Final = " once"


class HttpEndPoint(ABC):
    """A model behind an HTTP server; made by what its subclasses name. Safe to use from many turns at once.

    What the server has refused and can be done without is remembered for the next call.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str,
        api_key: str | SecretStr | None = None,
        provider: str = "",
        patience: Patience | None = None,
    ) -> None:
        """Name a model of a server; raises ModelNotConfigured for a URL or key that cannot be used."""
        key = api_key.get_secret_value() if isinstance(api_key, SecretStr) else api_key or ""
        self.name = f"{provider}/{model}" if provider else model
        self._model = model
        self._key = SecretStr(_checked_key(key.strip(), self.name))
        self._patience = patience or Patience()
        self._secrets: Secrets = (self._key,) if self._key else ()
        self._dialect: Dialect = self.dialect(self._secrets)
        self._url = _url(base_url, self._dialect.path, self.name)
        parts = urlsplit(self._url)
        self._where = f"{self.name} at {parts.netloc}{parts.path}"
        self._refused: set[str] = set()

    @staticmethod
    @abstractmethod
    def dialect(secrets: Secrets) -> Dialect:
        """Return the protocol that it speaks; `secrets` are the texts that no error may show."""

    async def invoke(self, messages: Sequence[ChatMessage], parameters: Mapping[str, Any]) -> ModelReply:
        """Return the answer to a conversation, after as many attempts as the patience allows.

        Raises ModelRefused, ModelRateLimited, ModelUnavailable, ModelTimeout or ModelMalformed. The server may have
        answered, and have counted it, more often than this returns.
        """
        attempts, refused = Attempts(self._where, self._patience), set(self._refused)
        while True:
            body = self._body(messages, parameters, False, refused)
            try:
                answer = await pool_of(self._url, self).whole(self._request(body), self._patience, attempts.left)
                return self._dialect.reply(answer)
            except Failure as error:
                failure = error
            await self._pause(attempts, failure, body, refused)

    async def stream(
        self, messages: Sequence[ChatMessage], parameters: Mapping[str, Any]
    ) -> AsyncGenerator[ModelChunk]:
        """Yield the answer as it comes, with the whole reply in the last chunk.

        Calls again only while nothing has been yielded. Raises as `invoke` does, and ModelCut when the answer breaks
        off after its beginning.
        """
        attempts, refused = Attempts(self._where, self._patience), set(self._refused)
        begun = False
        while True:
            body = self._body(messages, parameters, True, refused)
            try:
                async with aclosing(self._chunks(self._request(body), attempts.left)) as chunks:
                    async for chunk in chunks:
                        begun = True
                        yield chunk
                return
            except Failure as error:
                failure = error
            if begun:
                raise attempts.error(failure)
            await self._pause(attempts, failure, body, refused)

    async def aclose(self) -> None:
        """Close this event loop's connections unless other endpoints use them; they open again when needed.

        Those of another event loop are closed when it ends.
        """
        await pool_of(self._url, self).let_go(self)

    async def _chunks(self, request: Request, left: float) -> AsyncGenerator[ModelChunk]:
        parser, gathering, before = EventParser(), self._dialect.gathering(), bytearray()
        async with aclosing(pool_of(self._url, self).stream(request, self._patience, left)) as pieces:
            async for piece in pieces:
                for data in parser.feed(piece):
                    if text := gathering.take(data):
                        yield ModelChunk(text)
                if gathering.over:
                    break
                if not gathering.begun:
                    before += piece
            # Some servers answer whole, or with an error object, although a stream was asked for.
            yield ModelChunk(reply=gathering.whole() if gathering.begun else self._dialect.reply(bytes(before)))
            # A response that was read to its end leaves its connection to the next request.
            with contextlib.suppress(TimeoutError, Failure):
                async with asyncio.timeout(_END_SECONDS):
                    await anext(pieces, None)

    async def _pause(self, attempts: Attempts, failure: Failure, body: dict[str, Any], refused: set[str]) -> None:
        """Get ready for another attempt: at once without what the server refused, or later. Raises ModelError."""
        missing = self._dialect.concession(failure, body)
        if missing and missing not in refused:
            log.info("%s knows no %s; going on without it", self._where, missing.removesuffix(_ONCE))
            refused.add(missing)
            if not missing.endswith(_ONCE):
                self._refused.add(missing)
            return
        pause = attempts.pause_after(failure)
        if pause is None:
            raise attempts.error(failure)
        await asyncio.sleep(pause)

    def _body(
        self, messages: Sequence[ChatMessage], parameters: Mapping[str, Any], streams: bool, refused: set[str]
    ) -> dict[str, Any]:
        try:
            return self._dialect.body(self._model, messages, parameters, streams, refused)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ModelRefused(
                f"The conversation for {self.name} has not the form of chat messages ({type(error).__name__}: {error})."
            ) from error

    def _request(self, body: Mapping[str, Any]) -> Request:
        headers = {"content-type": "application/json", **self._dialect.headers(self._key.get_secret_value())}
        if key := idempotency_key():
            headers["idempotency-key"] = key
        try:
            return Request(self._url, to_json(body), headers, self._secrets)
        except (ValueError, UnicodeError) as error:
            raise ModelRefused(f"The conversation for {self.name} cannot be written as JSON: {error}.") from error

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._where})"


class ChatCompletionEndPoint(HttpEndPoint):
    """A model of a server that speaks OpenAI's chat completions.

    `iModel` makes one from its settings; `iModel.of(ChatCompletionEndPoint("model", base_url=…), "my/model")` takes one
    that you have made.
    """

    @staticmethod
    def dialect(secrets: Secrets) -> Dialect:
        """Return OpenAI's chat completions."""
        return ChatCompletions(secrets)


class MessagesEndPoint(HttpEndPoint):
    """A model of a server that speaks Anthropic's messages; the conversation goes in as OpenAI has it."""

    @staticmethod
    def dialect(secrets: Secrets) -> Dialect:
        """Return Anthropic's messages."""
        return Messages(secrets)


def _url(base_url: str, path: str, name: str) -> str:
    """Return the URL to ask; a base URL that ends like the path begins is not doubled."""
    try:
        parts = urlsplit(base_url)
        parts.port  # noqa: B018 - a port that is no number is found here
    except ValueError as error:
        raise ModelNotConfigured(f"The base_url of {name} is no URL: {error}.") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ModelNotConfigured(f"The base_url of {name} is to be http(s)://host[:port][/path].")
    if parts.username or parts.password:
        raise ModelNotConfigured(f"The base_url of {name} must have no user and password in it: give api_key=.")
    base = base_url.rstrip("/")
    return base.removesuffix("/v1") + path if path.startswith("/v1/") else base + path


def _checked_key(key: str, name: str) -> str:
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ModelNotConfigured(f"The key of {name} has signs in it that no key has; was it copied whole?")
    return key
