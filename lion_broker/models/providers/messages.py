"""Anthropic's messages: the conversation in OpenAI's form is translated on its way out, the answer on its way back.

https://docs.anthropic.com/en/api/messages
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lion_broker.models.dialect import arguments_text, json_object, system_text, with_system_text
from lion_broker.models.endpoint import ChatMessage
from lion_broker.models.failure import Failure, Kind, Secrets, of_error_object
from lion_broker.models.providers.translation import conversation, tool_choice, tools
from lion_broker.models.reply import ModelReply, ToolCall

__all__ = ["MAX_TOKENS", "Messages"]

MAX_TOKENS: Final = 4096
"""The limit of an answer when the caller gives none, for this protocol insists on one."""

_VERSION: Final = "2023-06-01"
_OURS: Final = ("messages", "model", "stream", "stream_options", "system", "response_format")
_REASONS: Final = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "refusal": "content_filter",
}


class Messages:
    """The dialect; `secrets` are the texts that no error may show."""

    path = "/v1/messages"

    def __init__(self, secrets: Secrets = ()) -> None:
        self._secrets = secrets

    def headers(self, key: str) -> dict[str, str]:
        """Return the headers of a request."""
        return {"anthropic-version": _VERSION, **({"x-api-key": key} if key else {})}

    def body(
        self,
        model: str,
        messages: Sequence[ChatMessage],
        parameters: Mapping[str, Any],
        streams: bool,
        refused: Collection[str],
    ) -> dict[str, Any]:
        """Return the body of a request; parameters in OpenAI's words are translated, others pass through."""
        given = {name: value for name, value in parameters.items() if value is not None}
        text = system_text(given.get("response_format") or {})
        system, turns = conversation(with_system_text(messages, text) if text else messages)
        body = {name: value for name, value in given.items() if name not in _OURS}
        _translate(body)
        body |= {"model": model, "messages": turns}
        if system:
            body["system"] = system
        if streams:
            body["stream"] = True
        return body

    def concession(self, failure: Failure, body: Mapping[str, Any]) -> str:
        """Return that there is nothing to do without."""
        return ""

    def reply(self, body: bytes) -> ModelReply:
        """Return the reply that a whole answer is."""
        answer = json_object(body)
        if answer.get("type") == "error" or "error" in answer:
            raise of_error_object(answer.get("error"), self._secrets)
        try:
            blocks = [dict(block) for block in answer["content"]]
            return ModelReply(
                text="".join(block["text"] for block in blocks if block["type"] == "text"),
                model=str(answer.get("model") or ""),
                usage=_usage(answer.get("usage") or {}),
                finish_reason=_reason(answer.get("stop_reason")),
                raw=answer,
                tool_calls=tuple(
                    ToolCall(str(block["id"]), str(block["name"]), arguments_text(block["input"]))
                    for block in blocks
                    if block["type"] == "tool_use"
                ),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise _nonsense(error) from None

    def gathering(self) -> GatheredMessage:
        """Return a new streamed answer."""
        return GatheredMessage(self._secrets)


@dataclass(slots=True)
class _OpenUse:
    id: str
    name: str
    whole: Any
    pieces: str = ""

    def closed(self) -> ToolCall:
        """Return the call: its pieces, or the input that came whole."""
        return ToolCall(self.id, self.name, self.pieces or arguments_text(self.whole))


class GatheredMessage:
    """Events of a message on their way to a whole reply."""

    def __init__(self, secrets: Secrets) -> None:
        self.begun = self.over = False
        self._secrets = secrets
        self._texts: list[str] = []
        self._uses: dict[int, _OpenUse] = {}
        self._usage: dict[str, Any] = {}
        self._model = self._stop_reason = ""

    def take(self, data: str) -> str:
        """Take an event; return the text that it adds. Kinds of events that are not known here add nothing."""
        self.begun = True
        event = json_object(data)
        try:
            match event.get("type"):
                case "error":
                    raise of_error_object(event.get("error"), self._secrets, streamed=True)
                case "message_start":
                    self._model = str(event["message"].get("model") or "")
                    self._usage.update(event["message"].get("usage") or {})
                case "content_block_start":
                    return self._open(int(event["index"]), event["content_block"])
                case "content_block_delta":
                    return self._add(int(event["index"]), event["delta"])
                case "message_delta":
                    self._stop_reason = str(event["delta"].get("stop_reason") or self._stop_reason)
                    self._usage.update(event.get("usage") or {})
                case "message_stop":
                    self.over = True
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise _nonsense(error) from None
        return ""

    def _open(self, index: int, block: Mapping[str, Any]) -> str:
        if block["type"] == "tool_use":
            self._uses[index] = _OpenUse(str(block["id"]), str(block["name"]), block.get("input"))
        return self._said(str(block.get("text") or "")) if block["type"] == "text" else ""

    def _add(self, index: int, delta: Mapping[str, Any]) -> str:
        if delta["type"] == "input_json_delta":
            self._uses[index].pieces += str(delta["partial_json"])
        return self._said(str(delta["text"])) if delta["type"] == "text_delta" else ""

    def _said(self, text: str) -> str:
        self._texts.append(text)
        return text

    def whole(self) -> ModelReply:
        """Return the reply."""
        if not self.over:
            raise Failure(Kind.CUT, "ended its answer in the middle")
        return ModelReply(
            text="".join(self._texts),
            model=self._model,
            usage=_usage(self._usage),
            finish_reason=_reason(self._stop_reason),
            tool_calls=tuple(use.closed() for _, use in sorted(self._uses.items())),
        )


def _translate(body: dict[str, Any]) -> None:
    """Put parameters in OpenAI's words into this protocol's."""
    body["max_tokens"] = body.pop("max_completion_tokens", None) or body.get("max_tokens") or MAX_TOKENS
    if (stop := body.pop("stop", None)) is not None:
        body["stop_sequences"] = [stop] if isinstance(stop, str) else list(stop)
    if (user := body.pop("user", None)) is not None:
        body["metadata"] = {"user_id": str(user)}
    if given := body.pop("tools", None):
        body["tools"] = tools(given)
    chosen = tool_choice(body.pop("tool_choice", None), body.pop("parallel_tool_calls", None))
    if chosen and given:
        body["tool_choice"] = chosen


def _usage(counts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the counts in OpenAI's words beside the provider's own; what a cache knew is part of the prompt."""
    if not counts:
        return {}
    cached = (counts.get("cache_creation_input_tokens") or 0) + (counts.get("cache_read_input_tokens") or 0)
    prompt, completed = (counts.get("input_tokens") or 0) + cached, counts.get("output_tokens") or 0
    return {
        **counts,
        "prompt_tokens": prompt,
        "completion_tokens": completed,
        "total_tokens": prompt + completed,
    }


def _reason(stop_reason: Any) -> str:
    return _REASONS.get(str(stop_reason), str(stop_reason or "stop"))


def _nonsense(error: Exception) -> Failure:
    return Failure(Kind.MALFORMED, f"answered JSON that is no message ({type(error).__name__}: {error})"[:300])
