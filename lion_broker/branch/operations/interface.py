"""The operations that every branch offers, with their keywords; each is a story in a module of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Literal

__all__ = ["Operable"]


class Operable(ABC):
    """What a branch can be asked to do, the same for a `Branch` here and a `RemoteBranch` on workers.

    Further keywords (`temperature`, `max_tokens` …) go to the model. `chat_model` (`imodel` is the same) is a model,
    the name of a registered one, or "provider/model"; None is the branch's own. `progression` names the messages that
    the model gets to see. `timeout` is in seconds: a TimeoutError ends what takes longer. Errors of a model
    call are ModelErrors and leave the conversation as it was.
    """

    @abstractmethod
    async def perform(self, operation: str, arguments: Mapping[str, Any]) -> Any:
        """Do one of the operations below, by its name, and return its result; `arguments` are its keywords."""

    @abstractmethod
    def streamed(self, arguments: Mapping[str, Any]) -> AsyncGenerator[str]:
        """Yield what `stream` yields; `arguments` are its keywords."""

    def stream(
        self, instruction: Any = None, guidance: Any = None, context: Any = None, *, progression: Any = None,
        images: Any = None, image_detail: Any = None, plain_content: str | None = None, chat_model: Any = None,
        imodel: Any = None, sender: Any = None, recipient: Any = None, clear_messages: bool = False,
        timeout: float | None = None, **parameters: Any,
    ) -> AsyncGenerator[str]:  # fmt: skip
        """Yield the answer in pieces of text as they come.

        Question and answer are recorded when the last piece has come; leaving the loop earlier stops the model and
        leaves the conversation as it was. From workers pieces that come close together are joined.
        """
        return self.streamed(_given(locals()))

    async def chat(
        self, instruction: Any = None, guidance: Any = None, context: Any = None, *, response_format: Any = None,
        request_fields: Any = None, progression: Any = None, images: Any = None, image_detail: Any = None,
        chat_model: Any = None, imodel: Any = None, sender: Any = None, recipient: Any = None,
        return_ins_res_message: bool = False, timeout: float | None = None, **parameters: Any,
    ) -> Any:  # fmt: skip
        """Ask the model and return its answer as text; nothing is recorded.

        With `return_ins_res_message` both messages are returned instead.
        """
        return await self.perform("chat", _given(locals()))

    async def communicate(
        self, instruction: Any = None, guidance: Any = None, context: Any = None, *, response_format: Any = None,
        request_model: Any = None, operative_model: Any = None, request_fields: Any = None, progression: Any = None,
        images: Any = None, image_detail: Any = None, plain_content: str | None = None, chat_model: Any = None,
        imodel: Any = None, parse_model: Any = None, sender: Any = None, recipient: Any = None,
        skip_validation: bool = False, clear_messages: bool = False, num_parse_retries: int = 3,
        fuzzy_match_kwargs: dict[str, Any] | None = None, timeout: float | None = None, **parameters: Any,
    ) -> Any:  # fmt: skip
        """Ask the model, record question and answer, and return the answer.

        It is a text; with `response_format` (a pydantic model, another type, a JSON schema; `request_model` is the
        same) a value of that form; with `request_fields` a dict of the fields that were found. Raises OutputInvalid
        when the answer cannot be given its form.
        """
        return await self.perform("communicate", _given(locals()))

    async def operate(
        self, instruction: Any = None, guidance: Any = None, context: Any = None, *, instruct: Any = None,
        response_format: Any = None, request_model: Any = None, operative_model: Any = None, operative: Any = None,
        tools: Any = None, tool_schemas: Any = None, actions: bool = False, reason: bool = False,
        invoke_actions: bool = True,
        action_kwargs: Mapping[str, Any] | None = None, max_steps: int = 10, field_models: Any = None,
        exclude_fields: Sequence[str] | None = None, progression: Any = None, images: Any = None,
        image_detail: Any = None, chat_model: Any = None, imodel: Any = None, parse_model: Any = None,
        sender: Any = None, recipient: Any = None, skip_validation: bool = False, clear_messages: bool = False,
        handle_validation: Literal["raise", "return_value", "return_none"] = "return_value",
        return_operative: bool = False, timeout: float | None = None, **parameters: Any,
    ) -> Any:  # fmt: skip
        """Let the model work with tools until it has an answer; everything is recorded.

        Returns a text when no form, reason or tool is wanted, else an object with the fields of `response_format`, with
        `reason`, and with tools `action_required`, `action_requests` and `action_responses`. `tools` are names,
        functions, Tools or a list; `actions` stands for all that the branch has; `tool_schemas` are further ones as
        models take them. The model is asked at most `max_steps` times. LionAGI's `request_params` and `response_params`
        are `response_format`, `field_models` and `exclude_fields` here.
        """
        return await self.perform("operate", _given(locals()))

    async def parse(
        self, text: str, handle_validation: Literal["raise", "return_value", "return_none"] = "return_value",
        max_retries: int = 3, request_type: Any = None, *, response_format: Any = None, request_fields: Any = None,
        operative: Any = None, parse_model: Any = None, similarity_algo: str = "jaro_winkler",
        similarity_threshold: float = 0.85, fuzzy_match: bool = True, handle_unmatched: str = "ignore",
        fill_value: Any = None, fill_mapping: Mapping[str, Any] | None = None, strict: bool = False,
        suppress_conversion_errors: bool = False, timeout: float | None = None,
    ) -> Any:  # fmt: skip
        """Give a text the form `request_type`: strict JSON, fenced, repaired, keys put right, and only then a model.

        When it cannot be had: OutputInvalid, None, or the text itself, as `handle_validation` says.
        """
        return await self.perform("parse", _given(locals()))

    async def invoke_action(
        self, action_request: Any, *, suppress_errors: bool = False, max_concurrent: int | None = None,
        throttle_period: float = 0, initial_delay: float = 0, num_retries: int = 0, retry_delay: float = 0,
        backoff_factor: float = 1, retry_timeout: float | None = None, retry_default: Any = None,
        unique_input: bool = False, unique_output: bool = False, sanitize_input: bool = False, dropna: bool = False,
        flatten: bool = True, flatten_tuple_set: bool = False,
        timeout: float | None = None,
    ) -> Any:  # fmt: skip
        """Call tools as one or many requests say, side by side; returns a list with one result a request, in order.

        A request is an ActionRequest, an ActionRequestModel or a dict with `function` and `arguments`. Times are in
        seconds. The list is flat, whatever `flatten` says: outputs stay as they are. Raises ToolError when a call has
        failed, or with `suppress_errors` returns the error as its output.
        """
        return await self.perform("invoke_action", _given(locals()))


def _given(names: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a call, but for those that were left out."""
    return {name: value for name, value in names.items() if name != "self" and value is not None}
