"""operate and invoke_action: a model that works with tools."""

from __future__ import annotations

import threading
from typing import Any

import anyio
import pytest
from pydantic import BaseModel

from lion_broker import ActionRequest, ActionResponse, ModelError, NotPortable, ToolError
from lion_broker.branch.operations.outcome import Operative
from lion_broker.errors import ConfigError, OutputInvalid, ToolUnknown
from lion_broker.messages.action import ActionRequestModel
from lion_broker.testing import ScriptedModel, tool_calls

from .conftest import Think

pytestmark = pytest.mark.anyio


class Sum(BaseModel):
    """A form of an answer."""

    total: int


def add(a: int, b: int = 0) -> int:
    """Add two numbers."""
    return a + b


async def nothing() -> None:
    """Return nothing at all."""


def broken(why: str = "no reason") -> str:
    """Fail."""
    raise RuntimeError(why)


async def test_a_model_calls_tools_and_answers(think: Think) -> None:
    """It is asked again with the results, in the form of its endpoint, until it calls nothing more."""
    model = ScriptedModel(("Let me see.", *tool_calls("add", {"a": 1, "b": 2}, {"a": 0})), {"total": 3})
    branch = await think(model, add, nothing, system="You add.")
    result = await branch.operate("What is 1 + 2?", tools=["add"], response_format=Sum)
    assert (isinstance(result, Sum), result.total, result.action_required) == (True, 3, True)
    assert [(one.function, one.arguments, one.output) for one in result.action_responses] == [
        ("add", {"a": 1, "b": 2}, 3),
        ("add", {"a": 0}, 0),
    ]
    first, second = model.requests
    assert first.tools == ["add"]
    assert [message["role"] for message in second.messages] == ["system", "user", "assistant", "tool", "tool"]
    calls = second.messages[2]["tool_calls"]
    assert second.messages[2]["content"] == "Let me see."
    assert [message["tool_call_id"] for message in second.messages[3:]] == [call["id"] for call in calls]
    assert [message["content"] for message in second.messages[3:]] == ["3", "0"]
    kinds = [type(message).__name__ for message in branch.messages]
    assert kinds == [
        *("System", "Instruction", "AssistantResponse"),
        *("ActionRequest", "ActionRequest", "ActionResponse", "ActionResponse", "AssistantResponse"),
    ]


async def test_falsy_results_are_results(think: Think) -> None:
    """0, an empty text and None are recorded and told to the model."""
    model = ScriptedModel(tool_calls("nothing"), "Nothing came of it.")
    branch = await think(model, nothing)
    result = await branch.operate("Try.", actions=True)
    assert (result.text, result.action_responses[0].output) == ("Nothing came of it.", None)
    assert model.requests[1].messages[-1]["content"] == "null"
    assert [message.output for message in branch.messages if isinstance(message, ActionResponse)] == [None]


async def test_a_text_comes_back_when_nothing_else_is_wanted(think: Think) -> None:
    """Without tools and form the answer is a text, as from communicate."""
    branch = await think(ScriptedModel("Fine."))
    assert await branch.operate("How are you?") == "Fine."


async def test_errors_of_tools_are_for_the_model(think: Think) -> None:
    """A failing call, bad arguments and an unknown name are told to it in words, and it goes on."""
    calls = (*tool_calls("broken", {"why": "too hot"}, "add", {"a": "many"}), *tool_calls("fly"))
    model = ScriptedModel(calls, "I give up.")
    branch = await think(model, add, broken)
    result = await branch.operate("Try.", actions=True)
    told = [message["content"] for message in model.requests[1].messages[-3:]]
    assert ["too hot" in told[0], "valid integer" in told[1], "not registered" in told[2]] == [True] * 3
    assert result.text == "I give up."
    assert all("error" in one.output for one in result.action_responses)


async def test_arguments_that_are_no_json(think: Think) -> None:
    """What a model writes instead of arguments is answered with what is wrong."""
    from lion_broker.models.reply import ToolCall

    model = ScriptedModel(ToolCall("1", "add", "{a: 1"), "Sorry.")
    branch = await think(model, add)
    result = await branch.operate("Try.", actions=True)
    assert result.text == "Sorry."
    assert "error" in result.action_responses[0].output


async def test_a_model_that_never_ends_is_stopped(think: Think) -> None:
    """After `max_steps` questions it is an error; what was done until then is in the conversation."""
    branch = await think(ScriptedModel(tool_calls("add", {"a": 1}), repeat=True), add)
    with pytest.raises(ModelError, match=r"still calls tools after 2 steps; max_steps="):
        await branch.operate("Try.", actions=True, max_steps=2)
    assert len([message for message in branch.messages if isinstance(message, ActionResponse)]) == 2


async def test_calls_may_be_left_to_the_caller(think: Think) -> None:
    """With `invoke_actions=False` they come back, to be made by hand."""
    branch = await think(ScriptedModel(tool_calls("add", {"a": 1, "b": 1}), {"total": 2}), add)
    result = await branch.operate("Try.", tools="add", response_format=Sum, invoke_actions=False)
    assert result.action_required is True
    (response,) = await branch.invoke_action(result.action_requests)
    assert response.output == 2
    assert result.action_responses == []


async def test_a_model_may_ask_for_actions_in_its_answer(think: Think) -> None:
    """LionAGI's way: the wanted fields and the calls in one JSON object."""
    said = {"total": 0, "action_required": True, "action_requests": [{"function": "add", "arguments": {"a": 2}}]}
    branch = await think(ScriptedModel(said), add)
    result = await branch.operate("Try.", actions=True, response_format=Sum)
    assert (result.total, result.action_responses[0].output) == (0, 2)


async def test_reasons_and_further_fields(think: Think) -> None:
    """`reason` and `field_models` add fields to the form, `exclude_fields` takes some away."""
    said = {"total": 1, "sure": True, "reason": {"title": "because", "confidence_score": 0.5}}
    branch = await think(ScriptedModel(said, repeat=True))
    result = await branch.operate("Well?", response_format=Sum, reason=True, field_models={"sure": bool})
    assert (result.total, result.sure, result.reason.title) == (1, True, "because")
    short = await branch.operate("Well?", response_format=Sum, exclude_fields=["total"], field_models={"sure": bool})
    assert "total" not in type(short).model_fields
    assert short.sure is True


async def test_an_instruct_says_it_all(think: Think) -> None:
    """A dict or object with instruction, guidance, context, reason and actions does as keywords do."""
    model = ScriptedModel("Fine.")
    branch = await think(model)
    await branch.operate(instruct={"instruction": "How are you?", "guidance": "Be brief.", "context": {"hour": 3}})
    assert all(text in model.requests[0].text for text in ("How are you?", "Be brief.", "hour"))


@pytest.mark.parametrize(("handling", "value"), [("return_value", "none"), ("return_none", None)])
async def test_answers_without_form(think: Think, handling: Any, value: Any) -> None:
    """They are returned as they are, or as None, or raised."""
    branch = await think(ScriptedModel("none", repeat=True))
    assert await branch.operate("Well?", response_format=Sum, handle_validation=handling) == value
    with pytest.raises(OutputInvalid) as caught:
        await branch.operate("Well?", response_format=Sum, handle_validation="raise")
    assert caught.value.text == "none"
    with pytest.raises(ConfigError, match="handle_validation"):
        await branch.operate("Well?", response_format=Sum, handle_validation="shout")  # type: ignore[arg-type]


async def test_an_operative_has_the_types_too(think: Think) -> None:
    """With `return_operative` the answer comes with its types and text."""
    branch = await think(ScriptedModel({"total": 1}))
    operative = await branch.operate("Well?", response_format=Sum, return_operative=True)
    assert isinstance(operative, Operative)
    assert (operative.request_type, operative.response_model) == (Sum, Sum(total=1))


async def test_an_unknown_tool_is_an_error(think: Think) -> None:
    """A name that is registered nowhere is refused before the model is asked."""
    model = ScriptedModel("one")
    branch = await think(model)
    with pytest.raises(ToolUnknown, match="fly"):
        await branch.operate("Try.", tools=["fly"])
    assert model.requests == []


async def test_functions_are_tools_where_they_can_be(think: Think, kind: str) -> None:
    """A function is a tool of a branch of this process; to a worker it cannot travel, and the error says what to do."""
    model = ScriptedModel(tool_calls("add", {"a": 1}), "One.")
    branch = await think(model)
    if kind in ("alone", "local"):
        assert (await branch.operate("Try.", tools=[add])).action_responses[0].output == 1
        return
    with pytest.raises(NotPortable, match=r"add is a function of this process.*@registry.tool"):
        await branch.operate("Try.", tools=[add])


async def test_one_or_many_requests(think: Think) -> None:
    """A request, its model, a dict or a list of them: always a list of results, in order, all recorded."""
    branch = await think(None, add)
    asked = [
        ActionRequest.create("add", {"a": 1}),
        ActionRequestModel(function="add", arguments={"a": 2}),
        {"function": "add", "arguments": {"a": 3, "b": 1}},
    ]
    assert [one.output for one in await branch.invoke_action(asked)] == [1, 2, 4]
    assert [one.output for one in await branch.invoke_action(asked[2])] == [4]
    assert await branch.invoke_action([]) == []
    doubled = [asked[1], None, [asked[1], asked[2]]]
    outputs = await branch.invoke_action(doubled, sanitize_input=True, unique_input=True, unique_output=True)
    assert [one.output for one in outputs] == [2, 4]
    assert len([message for message in branch.messages if isinstance(message, ActionResponse)]) == 6


async def test_a_failing_call(think: Think) -> None:
    """It is raised when all calls have ended, or with `suppress_errors` its output; both are recorded."""
    branch = await think(None, broken, add)
    both = [{"function": "broken", "arguments": {"why": "too hot"}}, {"function": "add", "arguments": {"a": 1}}]
    with pytest.raises(ToolError, match="broken: RuntimeError: too hot"):
        await branch.invoke_action(both)
    first, second = await branch.invoke_action(both, suppress_errors=True)
    assert (first.output, second.output) == ({"error": "broken: RuntimeError: too hot"}, 1)
    (only,) = await branch.invoke_action(both[0], suppress_errors=True, retry_default="none")
    assert only.output == "none"
    assert len([message for message in branch.messages if isinstance(message, ActionResponse)]) == 5
    wrong: list[Any] = ["add", {"arguments": {}}, 3]
    for bad in wrong:
        with pytest.raises(ConfigError):
            await branch.invoke_action(bad)


async def test_a_call_is_tried_again(think: Think) -> None:
    """`num_retries` calls more, and the last outcome counts."""
    tries: list[int] = []

    def shy() -> int:
        """Fail twice."""
        tries.append(1)
        if len(tries) < 3:
            raise RuntimeError("not yet")
        return len(tries)

    branch = await think(None, shy)
    assert [one.output for one in await branch.invoke_action({"function": "shy"}, num_retries=2)] == [3]


async def test_a_storm_of_calls(think: Think) -> None:
    """Fifty calls of slow tools run side by side, half of them failing; each has its own outcome, in order."""
    gate = threading.Barrier(20)

    def wait(number: int) -> int:
        """Wait for nineteen others."""
        gate.wait(30)
        if number % 2:
            raise RuntimeError(f"odd: {number}")
        return number

    model = ScriptedModel(tool_calls("wait", *({"number": number} for number in range(40))), "Done.")
    branch = await think(model, wait)
    result = await branch.operate("Go.", actions=True)
    outputs = [one.output for one in result.action_responses]
    assert outputs[::2] == list(range(0, 40, 2))
    assert [one["error"] for one in outputs[1::2]] == [f"wait: RuntimeError: odd: {n}" for n in range(1, 40, 2)]


async def test_only_so_many_at_once(think: Think) -> None:
    """`max_concurrent` limits how many calls run side by side."""
    now, most = 0, 0
    full = anyio.Event()

    async def count() -> None:
        """Count who is here, and stay until there are as many as may be."""
        nonlocal now, most
        now += 1
        most = max(most, now)
        if now == 3:
            full.set()
        await full.wait()
        await anyio.lowlevel.checkpoint()
        now -= 1

    branch = await think(None, count)
    await branch.invoke_action([{"function": "count"}] * 12, max_concurrent=3)
    assert most == 3
    with pytest.raises(ConfigError, match="max_concurrent"):
        await branch.invoke_action({"function": "count"}, max_concurrent=0)


async def test_lionagis_keywords(think: Think) -> None:
    """Schemas may be given as they are; keywords that have another name here are refused with it."""
    model = ScriptedModel("one", repeat=True)
    branch = await think(model, add)
    shown = {"type": "function", "function": {"name": "fly", "parameters": {"type": "object", "properties": {}}}}
    for schemas in ([shown], {"tools": [shown]}, shown):
        await branch.operate("Try.", tools="add", tool_schemas=schemas)
        assert model.requests[-1].tools == ["add", "fly"]
    with pytest.raises(ConfigError, match="request_params: use response_format"):
        await branch.operate("Try.", request_params={"name": "x"})
    outputs = await branch.invoke_action([{"function": "add", "arguments": {"a": 1}}], flatten=False)
    assert [one.output for one in outputs] == [1]
