"""OpenAI's chat completions, which most other servers speak too: requests, answers and streams.

https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lion_broker.models.dialect import arguments_text, json_object, system_text, with_system_text
from lion_broker.models.endpoint import ChatMessage
from lion_broker.models.failure import Failure, Kind, Secrets, of_error_object
from lion_broker.models.reply import ModelReply, ToolCall

__all__ = ["ChatCompletions"]

_END_MARK: Final = "[DONE]"
_REFUSALS: Final = (400, 404, 422)
_OURS: Final = ("messages", "model", "stream")


class ChatCompletions:
    """The dialect; `secrets` are the texts that no error may show."""

    path = "/chat/completions"

    def __init__(self, secrets: Secrets = ()) -> None:
        self._secrets = secrets

    def headers(self, key: str) -> dict[str, str]:
        """Return the headers of a request."""
        return {"authorization": f"Bearer {key}"} if key else {}

    def body(
        self,
        model: str,
        messages: Sequence[ChatMessage],
        parameters: Mapping[str, Any],
        streams: bool,
        refused: Collection[str],
    ) -> dict[str, Any]:
        """Return the body of a request; parameters pass through, except those that are None."""
        body = {name: value for name, value in parameters.items() if value is not None and name not in _OURS}
        text = _make_do(body, refused)
        body["model"] = model
        body["messages"] = with_system_text(messages, text) if text else list(messages)
        if "max_tokens" in refused and "max_tokens" in body:
            body["max_completion_tokens"] = body.pop("max_tokens")
        if streams:
            body["stream"] = True
            if "stream_options" not in refused:
                body.setdefault("stream_options", {"include_usage": True})
        if not streams or "stream_options" in refused:
            body.pop("stream_options", None)
        return body

    def concession(self, failure: Failure, body: Mapping[str, Any]) -> str:
        """Return what to do without: a kind of response format, `stream_options`, or `max_tokens` by its old name."""
        if failure.status not in _REFUSALS:
            return ""
        said = f"{failure.error.get('param') or ''} {failure.error.get('message') or ''}"
        asked = str((body.get("response_format") or {}).get("type") or "")
        if asked.startswith("json_") and any(
            word in said for word in ("response_format", "json_schema", "json_object")
        ):
            # What is wrong with this schema, or with these messages, says nothing about the next ones.
            return f"{asked} once" if "Invalid schema" in said or "must contain" in said else asked
        if "max_tokens" in body and "max_completion_tokens" in said:
            return "max_tokens"
        if "stream_options" in body and ("stream_options" in said or "include_usage" in said):
            return "stream_options"
        return ""

    def reply(self, body: bytes) -> ModelReply:
        """Return the reply that a whole answer is."""
        answer = json_object(body)
        _insist_on_no_error(answer, self._secrets, streamed=False)
        try:
            choice = answer["choices"][0]
            message = choice["message"]
            return ModelReply(
                text=_text(message.get("content")) or _text(message.get("refusal")),
                model=str(answer.get("model") or ""),
                usage=dict(answer.get("usage") or {}),
                finish_reason=str(choice.get("finish_reason") or "stop"),
                raw=answer,
                tool_calls=tuple(_call(one, place) for place, one in enumerate(message.get("tool_calls") or ())),
            )
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise _nonsense(error) from None

    def gathering(self) -> GatheredCompletion:
        """Return a new streamed answer."""
        return GatheredCompletion(self._secrets)


@dataclass(slots=True)
class _OpenCall:
    id: str = ""
    name: str = ""
    arguments: str = ""


class GatheredCompletion:
    """Chunks of a chat completion on their way to a whole reply."""

    def __init__(self, secrets: Secrets) -> None:
        self.begun = self.over = False
        self._secrets = secrets
        self._texts: list[str] = []
        self._refusals: list[str] = []
        self._calls: dict[int, _OpenCall] = {}
        self._model = self._finish_reason = ""
        self._usage: dict[str, Any] = {}

    def take(self, data: str) -> str:
        """Take a chunk; return the text that it adds."""
        self.begun = True
        if data.strip() == _END_MARK:
            self.over = True
            return ""
        chunk = json_object(data)
        _insist_on_no_error(chunk, self._secrets, streamed=True)
        try:
            return self._take(chunk)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise _nonsense(error) from None

    def _take(self, chunk: Mapping[str, Any]) -> str:
        self._model = str(chunk.get("model") or self._model)
        self._usage = dict(chunk.get("usage") or self._usage)
        text = ""
        for choice in chunk.get("choices") or ():
            if choice.get("index") or 0:
                continue
            delta = choice.get("delta") or {}
            text += _text(delta.get("content"))
            self._refusals.append(_text(delta.get("refusal")))
            for part in delta.get("tool_calls") or ():
                self._take_call(part)
            self._finish_reason = str(choice.get("finish_reason") or self._finish_reason)
        self._texts.append(text)
        return text

    def _take_call(self, part: Mapping[str, Any]) -> None:
        """Add a piece of a call: parallel calls are told apart by their index, or by a new id where there is none."""
        last = max(self._calls, default=-1)
        index = part.get("index")
        if index is None:
            is_new = not self._calls or part.get("id") not in (None, "", self._calls[last].id)
            index = last + 1 if is_new else last
        call = self._calls.setdefault(int(index), _OpenCall())
        function = part.get("function") or {}
        call.id = call.id or str(part.get("id") or "")
        call.name = call.name or str(function.get("name") or "")
        if (arguments := function.get("arguments")) is not None:
            call.arguments += arguments_text(arguments)

    def whole(self) -> ModelReply:
        """Return the reply; its end is the end mark, or the reason why the model stopped."""
        if not self.over and not self._finish_reason:
            raise Failure(Kind.CUT, "ended its answer in the middle")
        calls = (
            ToolCall(call.id or f"call_{place}", call.name, call.arguments or "{}")
            for place, (_, call) in enumerate(sorted(self._calls.items()))
        )
        return ModelReply(
            text="".join(self._texts) or "".join(self._refusals),
            model=self._model,
            usage=self._usage,
            finish_reason=self._finish_reason or "stop",
            tool_calls=tuple(calls),
        )


def _make_do(body: dict[str, Any], refused: Collection[str]) -> str:
    """Replace a response format that the server does not know by the next best; return what is to be said instead.

    The ladder is json_schema, json_object with the schema as text, text alone.
    """
    asked = body.get("response_format") or {}
    kind = str(asked.get("type") or "") if isinstance(asked, Mapping) else ""
    if kind not in refused and f"{kind} once" not in refused:
        return ""
    if "json_object" in refused or "json_object once" in refused:
        del body["response_format"]
    else:
        body["response_format"] = {"type": "json_object"}
    return system_text(asked)


def _insist_on_no_error(answer: Mapping[str, Any], secrets: Secrets, *, streamed: bool) -> None:
    if error := answer.get("error"):
        raise of_error_object(error, secrets, streamed=streamed)


def _text(content: Any) -> str:
    """Return the text of a message's content, which some servers send in parts."""
    if content is None or isinstance(content, str):
        return content or ""
    return "".join(part.get("text") or "" for part in content if isinstance(part, Mapping))


def _call(value: Mapping[str, Any], place: int) -> ToolCall:
    function = value["function"]
    return ToolCall(
        str(value.get("id") or f"call_{place}"),
        str(function["name"]),
        arguments_text(function.get("arguments")) or "{}",
    )


def _nonsense(error: Exception) -> Failure:
    return Failure(Kind.MALFORMED, f"answered JSON that is no chat completion ({type(error).__name__}: {error})"[:300])
