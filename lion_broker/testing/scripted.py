"""ScriptedModel: a model in this process that answers what the test has written."""

from __future__ import annotations

import copy
import inspect
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from lion_broker.core.numbers import counted
from lion_broker.models.endpoint import ChatMessage
from lion_broker.models.imodel import iModel
from lion_broker.models.reply import ModelChunk, ModelReply, ToolCall
from lion_broker.testing.model_server.answer import Answer, calls_of, text_of
from lion_broker.testing.model_server.openai import pieces, tokens

__all__ = ["Asked", "ScriptUsedUp", "ScriptedModel", "tool_calls"]


class ScriptUsedUp(AssertionError):
    """Raised when a scripted model is asked once more than its script has answers."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One question to a model, as it was at that moment: the conversation and the parameters of the call."""

    messages: list[dict[str, Any]]
    parameters: dict[str, Any]

    @property
    def text(self) -> str:
        """What the last message says; of one with several parts, the texts."""
        content = self.messages[-1].get("content") if self.messages else None
        if isinstance(content, list):
            return "\n".join(part["text"] for part in content if "text" in part)
        return content or ""

    @property
    def tools(self) -> list[str]:
        """The names of the tools that it may call."""
        return [tool["function"]["name"] for tool in self.parameters.get("tools") or ()]


class ScriptedModel:
    """Answers with a script: `ScriptedModel("Hello.", tool_calls("add", {"a": 1}), "3").imodel`.

    Each call takes the next answer:
    - a text, or a ModelReply as it is
    - a ToolCall, or a tuple of texts and ToolCalls that make one answer (parallel calls; an error at its end cuts it)
    - an exception, which is raised
    - a function of the question (`Asked`), sync or async, that returns one of these
    - anything else, as JSON

    When nothing is left, ScriptUsedUp is raised, an AssertionError that shows the question; with `repeat` the last
    answer is given again. It is an EndPoint, to be asked from many turns at once.
    """

    def __init__(self, *answers: object, name: str = "scripted/model", repeat: bool = False) -> None:
        self.name = name
        self.requests: list[Asked] = []
        """What it was asked, oldest first."""
        self._answers = list(answers)
        self._repeat = repeat

    @cached_property
    def imodel(self) -> iModel:
        """The model for `Branch(chat_model=…)` or `registry.model(…)`."""
        return iModel.of(self, self.name)

    @property
    def left(self) -> int:
        """How many answers nobody has asked for yet."""
        return max(0, len(self._answers) - len(self.requests))

    def add(self, *answers: object) -> None:
        """Write answers at the end of the script."""
        self._answers += answers

    async def invoke(self, messages: Sequence[ChatMessage], parameters: Mapping[str, Any]) -> ModelReply:
        """Return the next answer of the script, or raise the error that it has there."""
        reply, error = await self._next(messages, parameters)
        if error is not None:
            raise error
        return reply

    async def stream(self, messages: Sequence[ChatMessage], parameters: Mapping[str, Any]) -> AsyncIterator[ModelChunk]:
        """Yield the next answer word by word; the last chunk has the reply, or the error is raised in its place."""
        reply, error = await self._next(messages, parameters)
        for piece in pieces(reply.text):
            yield ModelChunk(text=piece)
        if error is not None:
            raise error
        yield ModelChunk(reply=reply)

    async def _next(
        self, messages: Sequence[ChatMessage], parameters: Mapping[str, Any]
    ) -> tuple[ModelReply, BaseException | None]:
        asked = Asked([copy.deepcopy(dict(message)) for message in messages], copy.deepcopy(dict(parameters)))
        self.requests.append(asked)
        number = len(self.requests)
        answer = self._answer_to(asked, number)
        if callable(answer) and not isinstance(answer, type):
            answer = answer(asked)
            answer = await answer if inspect.isawaitable(answer) else answer
        return self._reply(answer, asked, number)

    def _answer_to(self, asked: Asked, number: int) -> Any:
        if number <= len(self._answers):
            return self._answers[number - 1]
        if self._repeat and self._answers:
            return self._answers[-1]
        raise ScriptUsedUp(
            f"The script of {self.name} has {counted(len(self._answers), 'answer')}, and it was asked"
            f" {counted(number, 'time')}, at last: {asked.text[:300]!r}."
            " Add an answer, or make the model with repeat=True."
        )

    def _reply(self, answer: Any, asked: Asked, number: int) -> tuple[ModelReply, BaseException | None]:
        if isinstance(answer, ModelReply):
            return answer, None
        parts = answer if isinstance(answer, tuple) else (answer,)
        errors = [_raised(part) for part in parts if _is_error(part)]
        calls = [part for part in parts if isinstance(part, ToolCall)]
        text = "".join(text_of(part) for part in parts if not _is_error(part) and not isinstance(part, ToolCall))
        made = tuple(call if call.id else replace(call, id=f"call_{number}_{n}") for n, call in enumerate(calls))
        return self._made(text, made, asked), errors[0] if errors else None

    def _made(self, text: str, calls: tuple[ToolCall, ...], asked: Asked) -> ModelReply:
        prompt, completed = tokens({"messages": asked.messages}, Answer(text, tuple(calls_of(calls))))
        return ModelReply(
            text=text,
            model=self.name,
            usage={"prompt_tokens": prompt, "completion_tokens": completed, "total_tokens": prompt + completed},
            finish_reason="tool_calls" if calls else "stop",
            tool_calls=calls,
        )

    def __repr__(self) -> str:
        asked, left = counted(len(self.requests), "time"), counted(self.left, "answer")
        return f"ScriptedModel({self.name}, asked {asked}, {left} left)"


def tool_calls(*named: object) -> tuple[ToolCall, ...]:
    """Return one answer that calls tools: `tool_calls("add", {"a": 1}, {"a": 2}, "now")` are three parallel calls."""
    return tuple(ToolCall(call.id, call.name, call.arguments) for call in calls_of(named))


def _is_error(part: object) -> bool:
    return isinstance(part, BaseException) or (isinstance(part, type) and issubclass(part, BaseException))


def _raised(part: Any) -> BaseException:
    return part if isinstance(part, BaseException) else part()
