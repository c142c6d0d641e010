"""Call tools as a model asked, side by side, and keep calls and results in the conversation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypeAlias

import anyio
from pydantic import BaseModel

from lion_broker.errors import BrokerUnavailable, ConfigError, LeaseLost, LionError, ToolError, UnknownOutcome
from lion_broker.messages import ActionRequest, ActionResponse
from lion_broker.messages.action import ActionRequestModel, ActionResponseModel

if TYPE_CHECKING:
    from lion_broker.branch.branch import Branch

__all__ = ["Pace", "invoke_action", "requests_of"]

_NOT_FOR_THE_MODEL = (UnknownOutcome, BrokerUnavailable, LeaseLost)
"""Not what a tool has said: a person has to look, or whoever hosts the branch next."""

Asked: TypeAlias = ActionRequest | ActionRequestModel | Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Pace:
    """How calls are made: how many at once, how far apart, and how often a failed one is tried again (seconds)."""

    max_concurrent: int | None = None
    throttle_period: float = 0
    initial_delay: float = 0
    num_retries: int = 0
    retry_delay: float = 0
    backoff_factor: float = 1
    retry_timeout: float | None = None

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if value is not None and (not isinstance(value, (int, float)) or value < 0):
                raise ConfigError(f"{one.name} cannot be {value!r}: a number from 0 is needed.")
        if self.max_concurrent == 0:
            raise ConfigError("max_concurrent is at least 1.")


async def invoke_action(
    branch: Branch,
    *,
    action_request: Asked | Sequence[Asked],
    suppress_errors: bool = False,
    retry_default: Any = None,
    unique_input: bool = False,
    unique_output: bool = False,
    sanitize_input: bool = False,
    dropna: bool = False,
    flatten: bool = True,
    flatten_tuple_set: bool = False,
    **pace: Any,
) -> list[ActionResponseModel]:
    """Return one result a request, in order; requests and results are recorded.

    A call that fails is recorded with its error. With `suppress_errors` its output is `{"error": …}` (or
    `retry_default`), otherwise the first error is raised as ToolError when all calls have ended.
    """
    requests = requests_of(branch, _flat(action_request) if sanitize_input else action_request)
    if unique_input:
        requests = _without_doubles(requests)
    outcomes = await _call_all(branch, requests, Pace(**pace))
    branch.msgs.messages.include(requests)
    responses = [
        ActionResponse.create(request, _output(outcome), sender=request.recipient, recipient=branch.id)
        for request, outcome in zip(requests, outcomes, strict=True)
    ]
    branch.msgs.messages.include(responses)
    failed = next((outcome for outcome in outcomes if isinstance(outcome, Exception)), None)
    if failed is not None and not suppress_errors:
        raise failed
    results = [
        ActionResponseModel(
            function=request.function,
            arguments=request.arguments,
            output=_output(outcome, retry_default),
        )
        for request, outcome in zip(requests, outcomes, strict=True)
    ]
    if dropna:
        results = [result for result in results if result.output is not None]
    return _unlike(results) if unique_output else results


def requests_of(branch: Branch, asked: Any) -> list[ActionRequest]:
    """Return requests in any of their forms as messages from the branch to its tools; raises ConfigError."""
    many = list(asked) if isinstance(asked, (list, tuple)) else [asked]
    return [_request(branch, one) for one in many]


def _request(branch: Branch, asked: Any) -> ActionRequest:
    if isinstance(asked, ActionRequest):
        return asked
    if isinstance(asked, BaseModel):
        asked = asked.model_dump()
    if not isinstance(asked, Mapping) or not isinstance(asked.get("function"), str):
        raise ConfigError("An action request names a function and its arguments: {'function': …, 'arguments': {…}}.")
    tool = branch.tools.get(asked["function"])
    return ActionRequest.create(
        asked["function"], asked.get("arguments"), sender=branch.id, recipient=tool.id if tool is not None else None
    )


def _flat(asked: Any) -> list[Any]:
    """Return requests out of lists in lists, without Nones."""
    if isinstance(asked, (list, tuple)):
        return [one for part in asked for one in _flat(part)]
    return [] if asked is None else [asked]


def _unlike(results: Sequence[ActionResponseModel]) -> list[ActionResponseModel]:
    """Return the first of the results with each output."""
    outputs: list[Any] = []
    for result in results:
        if result.output not in outputs:
            outputs.append(result.output)
    return [next(result for result in results if result.output == output) for output in outputs]


def _without_doubles(requests: Sequence[ActionRequest]) -> list[ActionRequest]:
    seen = {request.text: request for request in reversed(requests)}
    return [request for request in requests if seen[request.text] is request]


async def _call_all(branch: Branch, requests: Sequence[ActionRequest], pace: Pace) -> list[Any]:
    """Return an output or an error a request."""
    outcomes: list[Any] = [None] * len(requests)
    stopped: list[Exception] = []
    limit = anyio.CapacityLimiter(pace.max_concurrent or max(len(requests), 1))

    async def call(place: int, request: ActionRequest) -> None:
        async with limit:
            try:
                outcomes[place] = await _call(branch, request, pace)
            except _NOT_FOR_THE_MODEL as error:
                stopped.append(error)

    await anyio.sleep(pace.initial_delay)
    async with anyio.create_task_group() as calls:
        for place, request in enumerate(requests):
            if place and pace.throttle_period:
                await anyio.sleep(pace.throttle_period)
            calls.start_soon(call, place, request)
    if stopped:
        raise stopped[0]
    return outcomes


async def _call(branch: Branch, request: ActionRequest, pace: Pace) -> Any:
    delay = pace.retry_delay
    outcome = await _once(branch, request, pace.retry_timeout)
    for _ in range(pace.num_retries):
        if not isinstance(outcome, Exception):
            break
        await anyio.sleep(delay)
        delay *= pace.backoff_factor
        outcome = await _once(branch, request, pace.retry_timeout)
    return outcome


async def _once(branch: Branch, request: ActionRequest, timeout: float | None) -> Any:
    try:
        calling = branch.acts.match_tool(request)
        calling.timeout = timeout or calling.timeout
        await branch.act(calling)
    except _NOT_FOR_THE_MODEL:
        raise
    except LionError as error:
        return error
    if calling.error is not None:
        return ToolError(f"{request.function}: {calling.error}")
    return calling.response


def _output(outcome: Any, default: Any = None) -> Any:
    if not isinstance(outcome, Exception):
        return outcome
    return {"error": str(outcome)} if default is None else default
