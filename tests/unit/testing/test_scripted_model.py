"""A model in this process that follows a script."""

from __future__ import annotations

from typing import Any

import pytest

from lion_broker import Branch
from lion_broker.errors import ModelError
from lion_broker.models.reply import ModelReply, ToolCall
from lion_broker.testing import Asked, ScriptedModel, ScriptUsedUp, tool_calls

pytestmark = pytest.mark.anyio

USER = {"role": "user", "content": "Hello?"}
TOOL = {"type": "function", "function": {"name": "add", "parameters": {}}}


async def said(model: ScriptedModel, *messages: Any, **parameters: Any) -> ModelReply:
    """Ask as a branch does."""
    return await model.imodel.invoke(messages or (USER,), **parameters)


async def test_answers_come_in_order() -> None:
    """A text is said, another value as JSON, and a whole reply stays as it is."""
    reply = ModelReply(text="mine", model="other")
    model = ScriptedModel("one", {"n": 2}, reply, name="my/model")
    assert model.left == 3
    assert (await said(model)).text == "one"
    assert (await said(model)).text == '{"n":2}'
    assert await said(model) is reply
    assert (model.left, model.imodel.name) == (0, "my/model")


async def test_a_branch_speaks_with_it() -> None:
    """It is a model like any other, with usage and a reason to stop."""
    model = ScriptedModel("Clear skies.")
    branch = Branch(system="Be brief.", chat_model=model.imodel)
    assert await branch.communicate("How is the weather?") == "Clear skies."
    (asked,) = model.requests
    assert asked.messages[0]["role"] == "system"
    assert "How is the weather?" in asked.text


async def test_it_calls_tools() -> None:
    """Calls get ids of their own, are counted as an answer, and may come with a text."""
    model = ScriptedModel(ToolCall("", "now", "{}"), ("Wait.", *tool_calls("add", {"a": 1}, {"a": 2})))
    first, second = await said(model), await said(model)
    assert [(call.name, call.arguments) for call in first.tool_calls] == [("now", "{}")]
    assert (first.finish_reason, first.text, second.text) == ("tool_calls", "", "Wait.")
    assert [call.arguments for call in second.tool_calls] == ['{"a":1}', '{"a":2}']
    assert len({call.id for call in (*first.tool_calls, *second.tool_calls)}) == 3
    assert first.usage["total_tokens"] == first.usage["prompt_tokens"] + first.usage["completion_tokens"] > 0


@pytest.mark.parametrize("error", [ModelError("out of order"), TimeoutError])
async def test_it_fails(error: Any) -> None:
    """An exception is raised in place of an answer."""
    model = ScriptedModel(error, "fine")
    with pytest.raises((ModelError, TimeoutError)):
        await said(model)
    assert (await said(model)).text == "fine"


async def test_it_asks_a_function() -> None:
    """A function sees the question and returns the answer, now or later."""

    async def later(asked: Asked) -> object:
        return tool_calls(asked.tools[0])

    model = ScriptedModel(lambda asked: f"{asked.text} {asked.parameters['temperature']}", later)
    assert (await said(model, temperature=0.5)).text == "Hello? 0.5"
    assert [call.name for call in (await said(model, tools=[TOOL])).tool_calls] == ["add"]


async def test_the_question_is_kept_as_it_was() -> None:
    """What is changed afterwards does not change what the model was asked; of several parts, the texts count."""
    message = {"role": "user", "content": [{"type": "text", "text": "one"}, {"type": "image_url", "image_url": {}}]}
    model = ScriptedModel("fine")
    await said(model, message)
    message["content"] = "changed"
    assert model.requests[0].text == "one"


async def test_a_script_that_is_used_up_says_so() -> None:
    """The error shows the question that was one too many; an answer may be added."""
    model = ScriptedModel("one")
    await said(model)
    with pytest.raises(ScriptUsedUp, match=r"has 1 answer, and it was asked 2 times, at last: 'Hello\?'"):
        await said(model)
    model.add("two", "three")
    assert (await said(model)).text == "three"


async def test_the_last_answer_may_repeat() -> None:
    """With `repeat` the script never ends."""
    model = ScriptedModel("one", "two", repeat=True)
    assert [(await said(model)).text for _ in range(4)] == ["one", "two", "two", "two"]


async def test_it_streams() -> None:
    """Words come one by one, the reply last."""
    model = ScriptedModel("Hello, my friend.")
    *chunks, last = [chunk async for chunk in model.stream([USER], {})]
    assert [chunk.text for chunk in chunks] == ["Hello, ", "my ", "friend."]
    assert last.reply is not None
    assert (last.text, last.reply.text) == ("", "Hello, my friend.")


async def test_a_stream_is_cut() -> None:
    """An error at the end of an answer comes when the rest was streamed; without a stream it is all there is."""
    model = ScriptedModel(("Hello, my", ModelError("cut")), repeat=True)
    stream = model.stream([USER], {})
    assert [(await anext(stream)).text for _ in range(2)] == ["Hello, ", "my"]
    with pytest.raises(ModelError, match="cut"):
        await anext(stream)
    with pytest.raises(ModelError, match="cut"):
        await said(model)
