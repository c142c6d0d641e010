"""An operation that is done elsewhere: its arguments as JSON for the way there, its result as a value again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from pydantic import BaseModel
from pydantic_core import to_json

from lion_broker.branch.items import encode_model, encode_tool
from lion_broker.core.ids import validate_order
from lion_broker.core.portable import plain_dict
from lion_broker.errors import OutputInvalid
from lion_broker.messages import RoledMessage, validate_sender_recipient
from lion_broker.messages.action import ActionResponseModel

from .forms import Form, form_of, only_one
from .operate import completed
from .outcome import Operative, acting, extended, unfinished
from .parse import Handling, check_handling, handled

__all__ = ["RemoteOperation", "packed_operation"]

_MODELS: Final = ("chat_model", "imodel", "parse_model")
_FORMS: Final = ("response_format", "request_model", "operative_model", "request_type", "operative")


@dataclass(frozen=True, slots=True)
class RemoteOperation:
    """What goes to a worker, and what is to be made of the answer.

    A class that was given as the form of an answer stays here: the worker gets its JSON schema and checks by that, and
    `result` makes an object of the class.
    """

    operation: str
    arguments: dict[str, Any]
    opened: Callable[[Any], Any] = field(default=lambda value: value)
    handling: Handling = "raise"

    def result(self, value: Any) -> Any:
        """Return the operation's result from the JSON that the worker answered."""
        try:
            return self.opened(value)
        except OutputInvalid as error:
            # The schema was kept, but not what else the class insists on.
            error.text = value if isinstance(value, str) else to_json(value).decode()
            return self.failed(error)

    def failed(self, error: OutputInvalid) -> Any:
        """Do what is to be done with an answer that has not the wanted form."""
        return handled(self.handling, error)


def packed_operation(operation: str, arguments: Mapping[str, Any]) -> RemoteOperation:
    """Return an operation as it travels; raises NotPortable for what cannot, with what to do instead."""
    given = dict(arguments)
    for name in _MODELS:
        if name in given and not isinstance(given[name], str):
            given[name] = encode_model(given[name], None)
    if given.get("tools") is not None:
        given["tools"] = _tool_names(given["tools"])
    if given.get("progression") is not None:
        given["progression"] = [str(id_) for id_ in validate_order(given["progression"])]
    for name in ("sender", "recipient"):
        if name in given:
            given[name] = str(validate_sender_recipient(given[name]))
    packed = _PACKERS[operation](given) if operation in _PACKERS else RemoteOperation(operation, given)
    return RemoteOperation(operation, plain_dict(packed.arguments, operation), packed.opened, packed.handling)


def _pack_asking(operation: str, given: dict[str, Any]) -> RemoteOperation:
    """Chat and communicate: a text, or a value of the wanted form."""
    form = _taken_form(given)
    if operation == "chat":
        return RemoteOperation(operation, given, _messages if given.get("return_ins_res_message") else _same)
    if form is None or form.partial or given.get("skip_validation"):
        return RemoteOperation(operation, given)
    return RemoteOperation(operation, given, form.take)


def _pack_parse(given: dict[str, Any]) -> RemoteOperation:
    handling = given.pop("handle_validation", "return_value")
    check_handling(handling)
    form = _taken_form(given)
    opened = _same if form is None or form.partial else form.take
    return RemoteOperation("parse", {**given, "handle_validation": "raise"}, opened, handling)


def _pack_operate(given: dict[str, Any]) -> RemoteOperation:
    handling = given.pop("handle_validation", "return_value")
    check_handling(handling)
    said = ("instruction", "guidance", "context", "reason", "actions")
    given |= completed(given.pop("instruct", None), **{name: given.pop(name, None) for name in said})
    kind = only_one(**{name: given.pop(name, None) for name in _FORMS})
    kind = getattr(kind, "request_type", kind)
    wanted = extended(kind, given.pop("reason"), given.pop("field_models", None), given.pop("exclude_fields", None))
    form = form_of(wanted)
    if form is not None:
        given["response_format"] = dict(form.schema)
    opened = partial(_operated, wanted, given.pop("return_operative", False))
    return RemoteOperation("operate", {**given, "handle_validation": "raise"}, opened, handling)


def _pack_actions(given: dict[str, Any]) -> RemoteOperation:
    asked = given["action_request"]
    given["action_request"] = [_call(one) for one in (asked if isinstance(asked, (list, tuple)) else [asked])]
    return RemoteOperation("invoke_action", given, lambda rows: [ActionResponseModel(**row) for row in rows])


_PACKERS: Final[Mapping[str, Callable[[dict[str, Any]], RemoteOperation]]] = {
    "chat": partial(_pack_asking, "chat"),
    "communicate": partial(_pack_asking, "communicate"),
    "parse": _pack_parse,
    "operate": _pack_operate,
    "invoke_action": _pack_actions,
}


def _taken_form(given: dict[str, Any]) -> Form | None:
    """Take the wanted form out of the arguments and put its schema there instead."""
    kind = only_one(**{name: given.pop(name, None) for name in _FORMS})
    form = form_of(getattr(kind, "request_type", kind), given.get("request_fields"))
    if form is not None and not form.partial:
        given["response_format"] = dict(form.schema)
    return form


def _operated(wanted: Any, as_operative: bool, value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    kind = acting(wanted) if "action_requests" in value else wanted
    form = form_of(kind)
    if form is None:
        return value
    result = unfinished(kind) if _waits_for_calls(value) else form.take(value)
    if _waits_for_calls(value) and isinstance(result, BaseModel):
        requests = type(result).model_fields["action_requests"].annotation
        result = result.model_copy(update={"action_required": True, "action_requests": _typed(requests, value)})
    return Operative(wanted, type(result), to_json(value).decode(), result) if as_operative else result


def _waits_for_calls(value: Mapping[str, Any]) -> bool:
    """Whether an answer has calls that nobody has made: then its other fields are not there yet."""
    return bool(value.get("action_requests")) and not value.get("action_responses")


def _typed(annotation: Any, value: Mapping[str, Any]) -> Any:
    form = form_of(annotation)
    return form.take(value["action_requests"]) if form is not None else value["action_requests"]


def _tool_names(tools: Any) -> Any:
    if isinstance(tools, (bool, Mapping)):
        return tools
    many = tools if isinstance(tools, (list, tuple, set, frozenset)) else [tools]
    return [one if isinstance(one, Mapping) else encode_tool(one, None)["ref"] for one in many]


def _call(request: Any) -> Any:
    function, arguments = getattr(request, "function", None), getattr(request, "arguments", None)
    return request if function is None else {"function": function, "arguments": arguments or {}}


def _messages(rows: Any) -> Any:
    return tuple(RoledMessage.from_dict(row, loaded=False) for row in rows)


def _same(value: Any) -> Any:
    return value
