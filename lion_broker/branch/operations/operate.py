"""Let a model work with tools until it has an answer, and give the answer the wanted form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel

from lion_broker.core.numbers import counted
from lion_broker.errors import ConfigError, ModelError, OutputInvalid
from lion_broker.messages import ActionRequest
from lion_broker.messages.action import ActionRequestModel, ActionResponseModel

from .act import invoke_action, requests_of
from .asking import Question, answer_of, is_live, model_of, question_of, record
from .dialogue import dialogue
from .forms import form_of, only_one
from .outcome import Operative, acted, acting, extended, unfinished
from .parse import Handling, check_handling, handled, take_form
from .reading import candidates

if TYPE_CHECKING:
    from lion_broker.branch.branch import Branch
    from lion_broker.models.reply import ModelReply

__all__ = ["completed", "operate"]

_FOREIGN: Final = frozenset({"request_params", "request_param_kwargs", "response_params", "response_param_kwargs"})


@dataclass(slots=True)
class _Work:
    """How the model may call tools, and what it has called so far."""

    schemas: list[Any]
    invoke: bool
    options: Mapping[str, Any]
    requests: list[ActionRequestModel] = field(default_factory=list)
    responses: list[ActionResponseModel] = field(default_factory=list)

    async def act(self, branch: Branch, requests: Sequence[ActionRequest]) -> None:
        """Make calls, or only write them down."""
        self.requests += [ActionRequestModel(function=one.function, arguments=one.arguments) for one in requests]
        if self.invoke:
            options = {"suppress_errors": True, **self.options}
            self.responses += await invoke_action(branch, action_request=requests, **options)
        else:
            branch.msgs.messages.include(requests)


async def operate(
    branch: Branch,
    *,
    instruct: Any = None,
    instruction: Any = None,
    guidance: Any = None,
    context: Any = None,
    response_format: Any = None,
    request_model: Any = None,
    operative_model: Any = None,
    operative: Any = None,
    tools: Any = None,
    tool_schemas: Any = None,
    actions: bool = False,
    reason: bool = False,
    invoke_actions: bool = True,
    action_kwargs: Mapping[str, Any] | None = None,
    max_steps: int = 10,
    field_models: Any = None,
    exclude_fields: Sequence[str] | None = None,
    skip_validation: bool = False,
    handle_validation: Handling = "return_value",
    return_operative: bool = False,
    parse_model: Any = None,
    **question: Any,
) -> Any:
    """Return the answer: a text when no form, reason or tool is wanted, else an object with the wanted fields.

    With tools (`tools`, or `actions` for all that the branch has) it also has `action_required`, `action_requests` and
    `action_responses`; the model is asked again with the results until it calls nothing more, `max_steps` times at
    most. What cannot be given its form is treated by `handle_validation` as in `parse`.
    """
    check_handling(handle_validation)
    if foreign := _FOREIGN & (question.get("parameters") or {}).keys():
        raise ConfigError(
            f"operate does not know {', '.join(sorted(foreign))}: use response_format, field_models and exclude_fields."
        )
    given = completed(
        instruct, instruction=instruction, guidance=guidance, context=context, reason=reason, actions=actions
    )
    kind = getattr(operative, "request_type", operative)
    wanted = only_one(
        response_format=response_format, request_model=request_model, operative_model=operative_model, operative=kind
    )
    wanted = extended(wanted, given.pop("reason"), field_models, exclude_fields)
    work = _Work(_schemas(branch, tools, given.pop("actions"), tool_schemas), invoke_actions, action_kwargs or {})
    reply = await _converse(branch, _question(branch, wanted, work, {**given, **question}), work, max_steps)
    if skip_validation or (wanted is None and not work.schemas):
        return reply.text
    try:
        result = await _result(branch, reply, wanted, work, parse_model)
    except OutputInvalid as error:
        return handled(handle_validation, error)
    return Operative(wanted, type(result), reply.text, result) if return_operative else result


def completed(instruct: Any, **said: Any) -> dict[str, Any]:
    """Return what is asked, completed by what an Instruct (a dict or an object) says."""
    if instruct is None:
        return said
    more = instruct if isinstance(instruct, Mapping) else {name: getattr(instruct, name, None) for name in said}
    return {name: more.get(name) if value in (None, False) else value for name, value in said.items()}


def _schemas(branch: Branch, tools: Any, actions: bool | None, further: Any) -> list[Any]:
    found = branch.acts.get_tool_schema(bool(actions) if tools is None else tools)
    more = further.get("tools", [further]) if isinstance(further, Mapping) else list(further or ())
    return [*(found["tools"] if isinstance(found, dict) else ()), *more]


def _question(branch: Branch, wanted: Any, work: _Work, said: dict[str, Any]) -> Question:
    """The question; a model that takes no tools reads of them instead, and answers with calls as JSON."""
    parameters, shown = dict(said.pop("parameters", None) or {}), None
    model = model_of(branch, only_one(chat_model=said.pop("chat_model", None), imodel=said.pop("imodel", None)))
    if work.schemas and is_live(model):
        parameters.setdefault("tools", work.schemas)
    elif work.schemas:
        shown, wanted = work.schemas, acting(wanted)
    form = form_of(wanted)
    return question_of(branch, form=form, tool_schemas=shown, parameters=parameters, chat_model=model, **said)


async def _converse(branch: Branch, asked: Question, work: _Work, most: int) -> ModelReply:
    """Ask, do what the model calls for, and ask again with the results; returns the answer that calls nothing."""
    if most < 1:
        raise ConfigError(f"max_steps is {most}; at least one is needed.")
    messages = asked.messages
    for step in range(most):
        reply = await branch.ask(Question(asked.instruction, messages, asked.model, asked.parameters))
        if step:
            branch.msgs.messages.include(answer_of(branch, asked, reply))
        else:
            record(branch, asked, reply)
        if not reply.tool_calls:
            return reply
        await work.act(branch, [_request(branch, call) for call in reply.tool_calls])
        if not work.invoke:
            return reply
        messages = [*asked.messages, *dialogue(_since(branch, asked))]
    raise ModelError(
        f"The model {asked.model.name} still calls tools after {counted(most, 'step')}; max_steps= allows more."
    )


def _since(branch: Branch, asked: Question) -> list[Any]:
    """What has been said since the instruction."""
    said = branch.msgs.messages.values()
    return said[next(place for place, one in enumerate(said) if one is asked.instruction) + 1 :]


def _request(branch: Branch, call: Any) -> ActionRequest:
    """The request of a call; arguments that are no JSON object are kept for the error to show."""
    tool = branch.tools.get(call.name)
    recipient = tool.id if tool is not None else None
    try:
        return ActionRequest.create(call.name, call.arguments, branch.id, recipient)
    except ValueError:
        return ActionRequest.create(call.name, {"no JSON object": call.arguments}, branch.id, recipient)


async def _result(branch: Branch, reply: ModelReply, wanted: Any, work: _Work, parse_model: Any) -> Any:
    """The answer in its form, with the calls where tools were given, also those that were asked for as JSON."""
    form = form_of(acting(wanted) if work.schemas else wanted)
    if form is None:
        raise ConfigError("A form is needed.")
    if reply.tool_calls:
        return acted(unfinished(acting(wanted)), work.requests, work.responses)
    if wanted is None and not any(isinstance(one, Mapping) for one in candidates(reply.text)):
        return acted(acting(None)(text=reply.text), work.requests, work.responses)
    value = await take_form(branch, reply.text, form, parse_model=parse_model)
    if not work.schemas:
        return value
    asked = _field(value, "action_requests") or []
    if asked:
        await work.act(branch, requests_of(branch, asked))
    if wanted is None and not value.text:
        value = value.model_copy(update={"text": reply.text})
    return acted(value, work.requests, work.responses)


def _field(value: Any, name: str) -> Any:
    return getattr(value, name) if isinstance(value, BaseModel) else value.get(name)
