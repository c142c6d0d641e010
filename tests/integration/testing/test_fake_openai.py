"""The fake model server in OpenAI's form, as a plain HTTP client sees it."""

import json
from typing import Any

import pytest

from lion_broker.testing import Call, FakeModelServer
from tests.integration.testing.client import USER, Client

CALLING = {"role": "assistant", "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f"}}]}
RESULT = {"role": "tool", "tool_call_id": "c1", "content": "1"}


def tool(name: str, **parameters: Any) -> dict[str, Any]:
    """A tool whose schema is to be followed strictly."""
    return {"type": "function", "function": {"name": name, "strict": True, "parameters": parameters}}


def schema(**other: Any) -> dict[str, Any]:
    """A response format with an object in a list in it, closed unless `other` opens it."""
    point = {"type": "object", "properties": {"x": {}}, "required": ["x"], "additionalProperties": False, **other}
    whole = {
        "type": "object",
        "properties": {"points": {"type": "array", "items": point}},
        "required": ["points"],
        "additionalProperties": False,
    }
    return {"type": "json_schema", "json_schema": {"name": "points", "strict": True, "schema": whole}}


def test_it_says_what_it_was_told(server: FakeModelServer, client: Client) -> None:
    """Answers come in order, the last one again and again, with usage and a reason to stop."""
    server.says("one", "two", prompt_tokens=7, completion_tokens=1)
    said = [client.chat().json() for _ in range(3)]
    assert [one["choices"][0]["message"]["content"] for one in said] == ["one", "two", "two"]
    assert said[0]["usage"] == {"prompt_tokens": 7, "completion_tokens": 1, "total_tokens": 8}
    assert said[0]["choices"][0]["finish_reason"] == "stop"
    assert len({one["id"] for one in said}) == 3


def test_an_answer_written_later_comes_next(server: FakeModelServer, client: Client) -> None:
    """After the last answer was repeated, a new one takes its place at once."""
    assert client.chat().json()["choices"][0]["message"]["content"] == "ok"
    for text in ("one", "two"):
        server.says(text)
        assert client.chat().json()["choices"][0]["message"]["content"] == text


def test_it_calls_tools_side_by_side(server: FakeModelServer, client: Client) -> None:
    """Several calls are one answer with ids of their own, and no text."""
    server.calls_tool("add", {"a": 1}, {"a": 2}, "now", Call("broken", '{"a": ', "mine"))
    choice = client.chat().json()["choices"][0]
    calls = choice["message"]["tool_calls"]
    assert [(one["function"]["name"], one["function"]["arguments"]) for one in calls] == [
        ("add", '{"a":1}'),
        ("add", '{"a":2}'),
        ("now", "{}"),
        ("broken", '{"a": '),
    ]
    assert len({one["id"] for one in calls}) == 4
    assert (calls[3]["id"], choice["message"]["content"], choice["finish_reason"]) == ("mine", None, "tool_calls")


def test_a_function_answers(server: FakeModelServer, client: Client) -> None:
    """A function sees the body of each request; an error of its own reaches the client as one of the server."""
    server.answers(lambda request: request["messages"][-1]["content"].upper())
    assert client.chat().json()["choices"][0]["message"]["content"] == "HELLO?"
    server.answers(lambda request: str(1 / 0))
    response = client.chat()
    assert (response.status_code, "ZeroDivisionError" in response.text) == (500, True)


def test_it_streams_text(server: FakeModelServer, client: Client) -> None:
    """A stream begins with the role, brings the text word by word, says why it ended, and has its end mark."""
    server.says("Hello, my friend.")
    *chunks, mark = client.streamed()
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert deltas[0] == {"role": "assistant", "content": ""}
    assert [delta["content"] for delta in deltas[1:-1]] == ["Hello, ", "my ", "friend."]
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None] * 4 + ["stop"]
    assert mark == "[DONE]"
    assert not any("usage" in chunk for chunk in chunks)


def test_it_streams_tool_calls_in_pieces(server: FakeModelServer, client: Client) -> None:
    """Each call opens with id and name; its arguments follow in pieces that only together are JSON."""
    server.calls_tool("add", {"first": 1, "second": 2}, "now", text="Wait.")
    opened: dict[int, dict[str, Any]] = {}
    pieces: dict[int, list[str]] = {}
    for chunk in client.streamed()[:-1]:
        for part in chunk["choices"][0]["delta"].get("tool_calls", ()):
            opened.setdefault(part["index"], part)
            pieces.setdefault(part["index"], []).append(part["function"]["arguments"])
    assert [opened[index]["function"]["name"] for index in (0, 1)] == ["add", "now"]
    assert all(one["id"] and one["type"] == "function" for one in opened.values())
    assert len(pieces[0]) > 2
    assert json.loads("".join(pieces[0])) == {"first": 1, "second": 2}


def test_usage_of_a_stream_comes_when_it_is_asked_for(server: FakeModelServer, client: Client) -> None:
    """With `include_usage` one more chunk, without choices, has the counts; in the others they are null."""
    server.says("a b", prompt_tokens=5)
    *chunks, last, _ = client.streamed(stream_options={"include_usage": True})
    assert (last["choices"], last["usage"]) == ([], {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7})
    assert {chunk["usage"] for chunk in chunks} == {None}


def test_it_asks_for_its_key() -> None:
    """Without the right key every request is refused, and the key is not repeated in the answer."""
    with FakeModelServer(api_key="sk-right") as server, Client(server.root) as client:
        refused = client.get("/v1/models", headers={"authorization": "Bearer sk-wrong"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (401, "invalid_api_key")
        assert "wrong" not in refused.text
        assert client.chat().status_code == 401
        client.headers["authorization"] = "Bearer sk-right"
        assert client.chat().status_code == 200


def test_it_refuses_what_it_is_told_to_refuse(server: FakeModelServer, client: Client) -> None:
    """A kind of response format or a parameter can be one that this server does not know, in the words of real ones."""
    schema = {"type": "json_schema", "json_schema": {"name": "n", "schema": {}}}
    assert client.chat(response_format=schema).status_code == 200
    server.refuses("json_schema", "seed")
    refused = client.chat(response_format=schema)
    assert refused.status_code == 400
    assert "'response_format' of type 'json_schema' is not supported" in refused.json()["error"]["message"]
    assert client.chat(seed=1).json()["error"]["code"] == "unsupported_parameter"
    assert client.chat().status_code == 200


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ([USER, RESULT], "must be a response to a preceding message"),
        ([USER, CALLING], "did not have response messages: c1"),
        ([USER, CALLING, USER], "did not have response messages: c1"),
        ([USER, CALLING, RESULT, RESULT], "must be a response to a preceding message"),
        ([{"role": "bot", "content": "?"}], "Invalid value: 'bot'"),
        ([{"role": "user", "content": None}], "got null"),
        ([{"content": "?"}], "has not the form"),
    ],
)
def test_it_refuses_conversations_that_make_no_sense(client: Client, messages: list[Any], words: str) -> None:
    """As on a real server, each call of a tool is followed by its result, and nothing else is."""
    refused = client.chat(*messages)
    assert (refused.status_code, words in refused.json()["error"]["message"]) == (400, True)
    assert client.chat(USER, CALLING, RESULT, USER).status_code == 200


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"model": ""}, "you must provide a model"),
        ({"tool_choice": "auto"}, "only allowed when 'tools' are specified"),
        ({"stream_options": {}}, "only allowed when 'stream' is enabled"),
        ({"tools": [tool("<lambda>")]}, "'tools[0].function.name': string does not match pattern"),
        ({"tools": [tool("f", type="object", properties={})]}, "Invalid schema for function 'f'"),
        ({"response_format": {"type": "json_object"}}, "must contain the word 'json'"),
        ({"response_format": {"type": "json_schema"}}, "Missing required parameter"),
        ({"response_format": schema(additionalProperties=True)}, "'additionalProperties' is required"),
        ({"response_format": schema(required=[])}, "Missing 'x'"),
    ],
)
def test_it_refuses_parameters_that_make_no_sense(
    server: FakeModelServer, client: Client, parameters: dict[str, Any], words: str
) -> None:
    """As on OpenAI's server, parameters fit each other, names fit the pattern, and strict schemas are closed."""
    refused = client.chat(**parameters)
    assert (refused.status_code, words in refused.json()["error"]["message"]) == (400, True)
    with FakeModelServer(strict=False) as easy, Client(easy.root) as easy_client:
        assert easy_client.chat(**parameters).status_code == 200


def test_it_takes_parameters_that_make_sense(client: Client) -> None:
    """What the refusals above ask for is enough."""
    tools = [tool("f", type="object", properties={}, additionalProperties=False)]
    assert client.chat(tools=tools, tool_choice="auto", parallel_tool_calls=True).status_code == 200
    assert client.chat(response_format=schema()).status_code == 200
    asking = {"role": "user", "content": "As JSON, please."}
    assert client.chat(asking, response_format={"type": "json_object"}).status_code == 200


def test_it_knows_its_models_and_no_other_place(client: Client) -> None:
    """`/v1/models` lists them; another path is not found; a body that is no JSON object is refused."""
    assert [one["id"] for one in client.get("/v1/models").json()["data"]] == ["fake"]
    assert client.get("/v2/models").status_code == 404
    assert client.post("/v1/chat/completions", content=b"[]").status_code == 400
    assert client.post("/v1/chat/completions", content=b"{").status_code == 400
    assert client.post("/v1/embeddings", json={}).status_code == 404


def test_it_remembers_what_it_was_asked(server: FakeModelServer, client: Client) -> None:
    """Every request is kept with path, headers and body."""
    client.chat(temperature=0.5)
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    assert request.headers["content-type"] == "application/json"
    assert (request.body["temperature"], request.messages) == (0.5, [USER])
