"""ActionRequest and ActionResponse: a call of a tool, and what came out of it."""

import json
from collections.abc import Callable
from typing import Any, Self

from pydantic import BaseModel, Field

from lion_broker.core.ids import IDType
from lion_broker.core.portable import to_portable
from lion_broker.errors import ConfigError
from lion_broker.messages.base import MessageRole, RoledMessage, json_text

__all__ = ["ActionRequest", "ActionRequestModel", "ActionResponse", "ActionResponseModel"]


class ActionRequestModel(BaseModel):
    """A call that a model asks for."""

    function: str
    arguments: dict[str, Any] = Field(default_factory=dict)


class ActionResponseModel(BaseModel):
    """A call and its output."""

    function: str
    arguments: dict[str, Any] = Field(default_factory=dict)
    output: Any = None


class ActionRequest(RoledMessage):
    """A call of a tool: `content` is `{"action_request": {"function", "arguments"}}`.

    Once it is answered, the content also has `action_response_id`.
    """

    role: MessageRole = MessageRole.ACTION

    @classmethod
    def create(
        cls,
        function: str | Callable[..., Any],
        arguments: Any = None,
        sender: Any = None,
        recipient: Any = None,
        template: str | None = None,
        **content: Any,
    ) -> Self:
        """Return the request of a call.

        `function`: a name, or a callable with one. `arguments`: a dict, the JSON text of one, a pydantic
        model, or None for no arguments; ValueError for anything else.
        """
        request = {"function": _function_name(function), "arguments": _arguments(arguments)}
        return cls._made_of(
            {
                "content": {**content, "action_request": request},
                "sender": sender,
                "recipient": recipient,
                "template": template,
            }
        )

    @property
    def request(self) -> dict[str, Any]:
        """A copy of the call: `function` and `arguments`."""
        return dict(self.content.get("action_request", {}))

    @property
    def function(self) -> str:
        """The name of the tool."""
        return str(self.request.get("function", ""))

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of the call."""
        return self.request.get("arguments") or {}

    @property
    def action_response_id(self) -> IDType | None:
        """The id of the response, or None as long as there is none."""
        id_ = self.content.get("action_response_id")
        return None if id_ is None else IDType.validate(id_)

    @action_response_id.setter
    def action_response_id(self, value: Any) -> None:
        self._change({"action_response_id": IDType.validate(value)})

    def is_responded(self) -> bool:
        """Return whether there is a response."""
        return self.action_response_id is not None

    def update(
        self,
        sender: Any = None,
        recipient: Any = None,
        template: str | None = None,
        function: str | Callable[..., Any] | None = None,
        arguments: Any = None,
        **content: Any,
    ) -> None:
        """Change what is given, and tell the watchers once; ValueError when the call was answered already."""
        if self.is_responded():
            raise ConfigError(f"The action request {self.id} has a response and cannot be changed any more.")
        request = self.request
        if function is not None:
            request["function"] = _function_name(function)
        if arguments is not None:
            request["arguments"] = _arguments(arguments)
        super().update(sender, recipient, template, **content, action_request=request)

    def _text(self) -> str:
        return json_text(self.request)


class ActionResponse(RoledMessage):
    """The outcome of a call: `content` is `{"action_request_id", "action_response"}`.

    The response has `function arguments output`.
    """

    role: MessageRole = MessageRole.ACTION

    @classmethod
    def create(
        cls,
        action_request: ActionRequest,
        output: Any = None,
        response_model: ActionResponseModel | None = None,
        sender: Any = None,
        recipient: Any = None,
        template: str | None = None,
    ) -> Self:
        """Return the response to a request, and note its id in the request.

        Every output is kept, also 0, an empty text and None; one that has no JSON form becomes its text.
        `response_model` may bring the output instead. Sender and recipient are those of the request, swapped.
        """
        if not isinstance(action_request, ActionRequest):
            raise ConfigError(f"A response answers an ActionRequest, not a {type(action_request).__name__}.")
        response = cls._made_of(
            {
                "content": {
                    "action_request_id": action_request.id,
                    "action_response": _outcome(action_request, output, response_model),
                },
                "sender": action_request.recipient if sender is None else sender,
                "recipient": action_request.sender if recipient is None else recipient,
                "template": template,
            }
        )
        action_request.action_response_id = response.id
        return response

    @property
    def action_request_id(self) -> IDType | None:
        """The id of the request that was answered."""
        id_ = self.content.get("action_request_id")
        return None if id_ is None else IDType.validate(id_)

    @property
    def response(self) -> dict[str, Any]:
        """A copy of the outcome: `function arguments output`."""
        return dict(self.content.get("action_response", {}))

    @property
    def function(self) -> str:
        """The name of the tool."""
        return str(self.response.get("function", ""))

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of the call."""
        return self.response.get("arguments") or {}

    @property
    def output(self) -> Any:
        """What the tool returned."""
        return self.response.get("output")

    def update(
        self,
        sender: Any = None,
        recipient: Any = None,
        template: str | None = None,
        action_request: ActionRequest | None = None,
        **content: Any,
    ) -> None:
        """Change what is given, and tell the watchers once; `output` among the content is the new output."""
        response = self.response
        if action_request is not None:
            content["action_request_id"] = action_request.id
            response |= action_request.request
        if "output" in content:
            response["output"] = to_portable(content.pop("output"), fallback=str)
        super().update(sender, recipient, template, **content, action_response=response)
        if action_request is not None:
            action_request.action_response_id = self.id

    def _text(self) -> str:
        return json_text(self.response)


def _outcome(request: ActionRequest, output: Any, model: ActionResponseModel | None) -> dict[str, Any]:
    if model is not None:
        return {
            "function": model.function,
            "arguments": model.arguments,
            "output": to_portable(model.output, fallback=str),
        }
    return {**request.request, "output": to_portable(output, fallback=str)}


def _function_name(function: Any) -> str:
    name = function if isinstance(function, str) else getattr(function, "__name__", None)
    if not name:
        raise ConfigError(f"A tool is called by its name or a named function, not by {function!r:.80}.")
    return str(name)


def _arguments(arguments: Any) -> dict[str, Any]:
    if arguments is None:
        return {}
    if isinstance(arguments, BaseModel):
        return arguments.model_dump(mode="json")
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments) if arguments.strip() else {}
        except ValueError as error:
            raise ConfigError(f"The arguments are a dictionary, but their JSON is broken: {error}") from error
    if not isinstance(arguments, dict):
        raise ConfigError(f"The arguments are a dictionary, not {type(arguments).__name__}.")
    return arguments
