"""The fake model server in Anthropic's form, as a plain HTTP client sees it."""

import json
from typing import Any

import pytest

from lion_broker.testing import FakeModelServer
from tests.integration.testing.client import USER, Client

USING = {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "f", "input": {}}]}
RESULT = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "1"}]}


def test_it_answers_in_blocks(server: FakeModelServer, client: Client) -> None:
    """Text and uses of tools are blocks of one answer, with usage and a reason to stop."""
    server.calls_tool("add", {"a": 1}, {"a": 2}, text="Wait.", prompt_tokens=7, completion_tokens=3).says("Done.")
    answer = client.message().json()
    text, first, second = answer["content"]
    assert text == {"type": "text", "text": "Wait."}
    assert (first["type"], first["name"], first["input"], second["input"]) == ("tool_use", "add", {"a": 1}, {"a": 2})
    assert first["id"] != second["id"]
    assert (answer["stop_reason"], answer["usage"]) == ("tool_use", {"input_tokens": 7, "output_tokens": 3})
    assert client.message().json()["stop_reason"] == "end_turn"


def test_it_streams_events(server: FakeModelServer, client: Client) -> None:
    """Each block opens, comes in pieces and closes; input is JSON in pieces; the end has reason and usage."""
    server.calls_tool("add", {"first": 1, "second": 2}, text="One moment.", prompt_tokens=7, completion_tokens=9)
    events = client.events()
    kinds = [event["type"] for event in events]
    assert (kinds[0], kinds[-2:]) == ("message_start", ["message_delta", "message_stop"])
    assert kinds.count("content_block_start") == kinds.count("content_block_stop") == 2
    assert events[0]["message"]["usage"]["input_tokens"] == 7
    deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
    assert "".join(one.get("text", "") for one in deltas) == "One moment."
    assert json.loads("".join(one.get("partial_json", "") for one in deltas)) == {"first": 1, "second": 2}
    assert (events[-2]["delta"]["stop_reason"], events[-2]["usage"]) == ("tool_use", {"output_tokens": 9})


def test_errors_have_their_own_form(server: FakeModelServer, client: Client) -> None:
    """An error says its kind in Anthropic's words, whole and in the middle of a stream."""
    server.fails(529, "Overloaded").breaks_stream(after=1)
    overloaded = client.message()
    assert overloaded.status_code == 529
    assert overloaded.json() == {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    assert [event["type"] for event in client.events()] == ["message_start", "error"]


def test_it_asks_for_its_key() -> None:
    """The key comes in a header of its own."""
    with FakeModelServer(api_key="right") as server, Client(server.root) as client:
        assert client.message().json()["error"]["type"] == "authentication_error"
        client.headers["x-api-key"] = "right"
        assert client.message().status_code == 200


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ([{"role": "system", "content": "Be brief."}, USER], "Unexpected role"),
        ([USING, RESULT], "first message must use"),
        ([USER, USING, USER], "without `tool_result` blocks immediately after: t1"),
        ([USER, RESULT], "unexpected `tool_use_id`"),
    ],
)
def test_it_refuses_conversations_that_make_no_sense(client: Client, messages: list[Any], words: str) -> None:
    """As on the real server, roles are two, and each use of a tool is followed by its result."""
    refused = client.message(*messages)
    assert (refused.status_code, words in refused.json()["error"]["message"]) == (400, True)
    assert client.message(USER, USING, RESULT).status_code == 200


def test_it_refuses_requests_without_what_is_required(client: Client) -> None:
    """The version of the API and the limit of tokens must be given."""
    body = {"model": "m", "messages": [USER]}
    assert "anthropic-version" in client.post("/v1/messages", json=body).text
    assert "max_tokens" in client.message(max_tokens=None).text
