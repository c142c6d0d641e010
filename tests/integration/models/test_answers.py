"""Models over real sockets, when all goes well."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import pytest

from lion_broker import Branch, ChatCompletionEndPoint, ModelRefused, iModel
from lion_broker.testing import Call, FakeModelServer, await_until
from tests.integration.models.asking import KEY, TOOL, USER, ask, streamed
from tests.integration.models.conftest import MakeModel

pytestmark = pytest.mark.anyio

MANY = 300
SCHEMA = {"type": "object", "properties": {"n": {}}, "required": ["n"], "additionalProperties": False}
FORMAT = {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": SCHEMA}}


@pytest.mark.parametrize("streams", [False, True])
async def test_it_answers(server: FakeModelServer, model: MakeModel, streams: bool) -> None:
    """With text, usage, and the reason why it stopped; the key and the parameters arrive."""
    server.says("Hello, my friend.", prompt_tokens=7, completion_tokens=3, finish_reason="length")
    reply = await ask(model(temperature=0.5, max_tokens=5), streams, temperature=0.7)
    assert (reply.text, reply.finish_reason, reply.model) == ("Hello, my friend.", "length", "m")
    counts = {name: reply.usage[name] for name in ("prompt_tokens", "completion_tokens", "total_tokens")}
    assert counts == {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    (request,) = server.requests
    assert (request.key, request.body["temperature"], request.body["max_tokens"]) == (KEY, 0.7, 5)


async def test_a_stream_comes_word_by_word(server: FakeModelServer, model: MakeModel) -> None:
    """Each as it arrives."""
    server.says("Hello, my friend.", pause=0.001)
    texts, _ = await streamed(model())
    assert texts == ["Hello, ", "my ", "friend."]


@pytest.mark.parametrize("streams", [False, True])
async def test_it_calls_tools_side_by_side(server: FakeModelServer, model: MakeModel, streams: bool) -> None:
    """Arguments are text as the model wrote it, and the results are understood."""
    server.calls_tool("add", {"first": 1, "second": [2]}, {"first": 3}, text="Wait.").says("Done.")
    asked = model()
    reply = await ask(asked, streams, tools=[TOOL], tool_choice="auto", parallel_tool_calls=True)
    assert (reply.text, reply.finish_reason) == ("Wait.", "tool_calls")
    first, second = reply.tool_calls
    assert [(one.name, one.arguments.replace(" ", "")) for one in reply.tool_calls] == [
        ("add", '{"first":1,"second":[2]}'),
        ("add", '{"first":3}'),
    ]
    calls = [
        {"id": one.id, "type": "function", "function": {"name": one.name, "arguments": one.arguments}}
        for one in (first, second)
    ]
    results = [{"role": "tool", "tool_call_id": one.id, "content": "4"} for one in (first, second)]
    system = {"role": "system", "content": "Add."}
    messages = [system, USER, {"role": "assistant", "content": "Wait.", "tool_calls": calls}, *results]
    assert (await ask(asked, streams, messages, tools=[TOOL])).text == "Done."


async def test_broken_arguments_arrive_as_they_are(server: FakeModelServer, model: MakeModel, provider: str) -> None:
    """What a model wrote badly is for the tool to refuse."""
    server.calls_tool(Call("add", '{"a": '))
    _, reply = await streamed(model(), tools=[TOOL])
    assert reply.tool_calls[0].arguments == '{"a": '


@pytest.mark.parametrize("streams", [False, True])
async def test_json_is_asked_for_as_the_server_can(server: FakeModelServer, model: MakeModel, streams: bool) -> None:
    """By schema, else as an object, else in words; what was refused once is not tried again."""
    server.says({"n": 1})
    asked = model()
    for refused in ("", "json_schema", "json_object"):
        server.refuses(*([refused] if refused else []))
        for _ in range(2):
            assert (await ask(asked, streams, response_format=FORMAT)).text == '{"n":1}'
    tried = [(one.body.get("response_format") or {}).get("type") for one in server.requests]
    if server.requests[0].is_anthropic:
        assert tried == [None] * 6
    else:
        assert tried == ["json_schema"] * 3 + ["json_object"] * 3 + [None] * 2
    assert "additionalProperties" in str(server.requests[-1].body)


async def test_usage_of_a_stream_is_done_without(server: FakeModelServer) -> None:
    """A server that knows no `stream_options` still streams."""
    server.refuses("stream_options")
    model = iModel("mine", "m", base_url=server.url)
    assert [(await streamed(model))[1].usage for _ in range(2)] == [{}, {}]
    assert len(server.requests) == 3
    assert server.requests[0].key == ""
    await model.aclose()


async def test_what_cannot_be_done_without_is_an_error(server: FakeModelServer) -> None:
    """The words of the server say what is wrong."""
    server.refuses("seed")
    model = iModel("mine", "m", base_url=server.url)
    with pytest.raises(ModelRefused, match=r"mine/m at 127.* answered 400: Unsupported parameter: 'seed'"):
        await model.invoke([USER], seed=1)
    assert len(server.requests) == 1
    await model.aclose()


async def test_images_pass_through(server: FakeModelServer, model: MakeModel) -> None:
    """In the form of each dialect."""
    part = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    await model().invoke([{"role": "user", "content": [{"type": "text", "text": "What is it?"}, part]}])
    assert "AAAA" in str(server.requests[0].messages[0]["content"][1])


@pytest.mark.parametrize("streams", [False, True])
async def test_connections_are_kept(server: FakeModelServer, model: MakeModel, streams: bool) -> None:
    """One after the other needs one; another model of the same server shares it until the last has let go."""
    first, second = model(), model()
    for asked in (first, second, first):
        await ask(asked, streams)
    assert server.connections == 1
    await first.aclose()
    await ask(second, streams)
    assert server.connections == 1
    await second.aclose()
    await ask(second, streams)
    assert server.connections == 2


async def test_many_at_once(server: FakeModelServer, model: MakeModel) -> None:
    """Nobody waits for another one's answer, and the connections serve the next as well."""
    server.says("Hello.").delays(0.2)
    asked = model()
    for _ in range(2):
        replies = await asyncio.gather(*[asked.invoke([USER]) for _ in range(MANY)])
        assert {reply.text for reply in replies} == {"Hello."}
    assert server.connections <= MANY
    assert server.busiest > MANY / 3


async def test_who_stops_reading_ends_the_stream(server: FakeModelServer, model: MakeModel) -> None:
    """The server sees the client go."""
    server.falls_silent(after=6, text="one two three four")
    async with aclosing(model().stream([USER])) as chunks:
        assert (await anext(chunks)).text == "one "
    await await_until(lambda: server.abandoned)


async def test_who_is_cancelled_ends_the_call(server: FakeModelServer, model: MakeModel) -> None:
    """Whole or streamed."""
    server.falls_silent()
    asked = model()
    for streams in (False, True):
        task = asyncio.create_task(ask(asked, streams))
        await await_until(lambda: len(server.requests) > len(server.abandoned))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await await_until(lambda: len(server.requests) == len(server.abandoned))


async def test_a_branch_speaks_with_it(server: FakeModelServer, model: MakeModel) -> None:
    """As with any model."""
    server.says("Clear skies.")
    branch = Branch(system="Be brief.", chat_model=model())
    assert await branch.communicate("How is the weather?") == "Clear skies."


async def test_an_endpoint_of_ones_own(server: FakeModelServer) -> None:
    """Made by hand, it is a model like any other in this process."""
    endpoint = ChatCompletionEndPoint("m", base_url=server.url, api_key=KEY)
    model = iModel.of(endpoint, "my/model")
    assert (await model.invoke([USER])).text == "ok"
    assert KEY not in f"{endpoint!r} {model!r} {vars(endpoint)}"
    await model.aclose()


def test_connections_end_with_their_event_loop(server: FakeModelServer) -> None:
    """A model that nobody closes leaves none open, and goes on in the next loop."""
    model = iModel("mine", "m", base_url=server.url)

    async def twice() -> Any:
        return [await ask(model, streams) for streams in (False, True)]

    for _ in range(3):
        asyncio.run(twice())
    assert (server.connections, len(server.requests)) == (3, 6)
