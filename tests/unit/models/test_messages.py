"""Anthropic's messages: what is written and what is read, without a line."""

import json
from typing import Any

import pytest

from lion_broker import ToolCall
from lion_broker.models.failure import Failure, Kind
from lion_broker.models.providers.messages import MAX_TOKENS, Messages
from lion_broker.models.providers.translation import conversation, tool_choice, tools

CHAT = Messages()
USER = {"role": "user", "content": "Hi."}
TEXT = {"type": "text", "text": "Hi."}


def call(id: str, arguments: str = "{}") -> dict[str, Any]:
    """A call as OpenAI has it."""
    return {"id": id, "type": "function", "function": {"name": "f", "arguments": arguments}}


def test_system_messages_are_lifted_out() -> None:
    """Wherever they stand."""
    system, turns = conversation(
        [{"role": "system", "content": "A"}, USER, {"role": "developer", "content": [{"type": "text", "text": "B"}]}]
    )
    assert (system, turns) == ("A\n\nB", [{"role": "user", "content": [TEXT]}])


def test_neighbours_of_one_role_become_one() -> None:
    """And what is empty is left out, for the server refuses it."""
    said = {"role": "assistant", "content": "Yes. \n"}
    _, turns = conversation(
        [USER, USER, said, {"role": "assistant", "content": ""}, {"role": "user", "content": None}, USER]
    )
    assert [(turn["role"], len(turn["content"])) for turn in turns] == [("user", 2), ("assistant", 1), ("user", 1)]
    assert turns[1]["content"][0]["text"] == "Yes."


def test_the_user_begins() -> None:
    """A conversation that begins with an answer gets an opening."""
    _, turns = conversation([{"role": "assistant", "content": "Yes."}])
    assert [turn["role"] for turn in turns] == ["user", "assistant"]
    assert conversation([]) == ("", [])


def test_calls_and_results_become_blocks() -> None:
    """Results stand at the beginning of the next message of the user; broken arguments stay readable."""
    _, turns = conversation(
        [
            USER,
            {
                "role": "assistant",
                "content": "Wait.",
                "tool_calls": [call("a", '{"x": 1}'), call("b", "{broken"), call("c", "[1]")],
            },
            {"role": "user", "content": "And?"},
            {"role": "tool", "tool_call_id": "a", "content": "1"},
            {"role": "tool", "tool_call_id": "b", "content": [TEXT]},
            {"role": "tool", "tool_call_id": "c", "content": ""},
        ]
    )
    assert [block.get("input") for block in turns[1]["content"]] == [
        None,
        {"x": 1},
        {"arguments": "{broken"},
        {"arguments": "[1]"},
    ]
    assert turns[2]["content"] == [
        {"type": "tool_result", "tool_use_id": "a", "content": "1"},
        {"type": "tool_result", "tool_use_id": "b", "content": [TEXT]},
        {"type": "tool_result", "tool_use_id": "c"},
        {"type": "text", "text": "And?"},
    ]


@pytest.mark.parametrize(
    ("url", "source"),
    [
        ("https://example.org/a.png", {"type": "url", "url": "https://example.org/a.png"}),
        ("data:image/png;base64,AA%3D%3D", {"type": "base64", "media_type": "image/png", "data": "AA=="}),
        ("data:;base64,AA", {"type": "base64", "media_type": "image/jpeg", "data": "AA"}),
    ],
)
def test_images_are_translated(url: str, source: dict[str, str]) -> None:
    """By address, or with their bytes."""
    _, turns = conversation([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}])
    assert turns[0]["content"] == [{"type": "image", "source": source}]


def test_tools_are_translated() -> None:
    """Those that are in this protocol's form stay."""
    own: dict[str, Any] = {"type": "web_search_20250305", "name": "web_search"}
    given: list[dict[str, Any]] = [
        {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}},
        own,
    ]
    assert tools(given) == [{"name": "f", "description": "d", "input_schema": {"type": "object"}}, own]


@pytest.mark.parametrize(
    ("choice", "parallel", "made"),
    [
        (None, None, None),
        ("auto", None, {"type": "auto"}),
        ("required", True, {"type": "any"}),
        ("none", False, {"type": "none"}),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
        ("required", False, {"type": "any", "disable_parallel_tool_use": True}),
        ({"type": "function", "function": {"name": "f"}}, None, {"type": "tool", "name": "f"}),
        ({"type": "any"}, None, {"type": "any"}),
    ],
)
def test_the_choice_of_tools_is_translated(choice: Any, parallel: bool | None, made: Any) -> None:
    """With whether several may be called at once."""
    assert tool_choice(choice, parallel) == made


def test_parameters_are_translated() -> None:
    """What has another name here gets it; what has none passes."""
    body = CHAT.body(
        "m", [USER], {"stop": "x", "user": "u", "tool_choice": "auto", "temperature": 0, "stream_options": {}}, True, ()
    )
    assert body == {
        "model": "m",
        "messages": [{"role": "user", "content": [TEXT]}],
        "max_tokens": MAX_TOKENS,
        "stop_sequences": ["x"],
        "metadata": {"user_id": "u"},
        "temperature": 0,
        "stream": True,
    }
    assert CHAT.body("m", [USER], {"max_completion_tokens": 7}, False, ())["max_tokens"] == 7


def test_json_is_asked_for_in_words() -> None:
    """There is no parameter for it."""
    schema = {"type": "json_schema", "json_schema": {"schema": {"type": "object"}}}
    body = CHAT.body("m", [USER], {"response_format": schema}, False, ())
    assert '{"type":"object"}' in body["system"]
    assert "response_format" not in body


def test_an_answer_is_translated_back() -> None:
    """Usage in both words, with what a cache knew; the reason in OpenAI's."""
    usage = {"input_tokens": 5, "output_tokens": 2, "cache_read_input_tokens": 100, "cache_creation_input_tokens": None}
    use = {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}}
    answer = {"model": "m", "content": [TEXT, {"type": "thinking"}, use], "stop_reason": "max_tokens", "usage": usage}
    reply = CHAT.reply(json.dumps(answer).encode())
    assert (reply.text, reply.finish_reason, reply.tool_calls) == ("Hi.", "length", (ToolCall("a", "f", '{"x": 1}'),))
    assert reply.usage == {**usage, "prompt_tokens": 105, "completion_tokens": 2, "total_tokens": 107}


@pytest.mark.parametrize("body", [b"", b"{}", b'{"content": 5}', b'{"content": [{}]}'])
def test_nonsense_is_malformed(body: bytes) -> None:
    """Whatever is no message."""
    with pytest.raises(Failure) as raised:
        CHAT.reply(body)
    assert raised.value.kind is Kind.MALFORMED


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ({"type": "error", "error": {"message": "Overloaded"}}, Kind.CUT),
        (
            {"type": "content_block_delta", "index": 3, "delta": {"type": "input_json_delta", "partial_json": ""}},
            Kind.MALFORMED,
        ),
        ({"type": "message_start"}, Kind.MALFORMED),
    ],
)
def test_streams_that_go_wrong(event: dict[str, Any], kind: Kind) -> None:
    """An error in place of an event, and events that do not fit."""
    with pytest.raises(Failure) as raised:
        CHAT.gathering().take(json.dumps(event))
    assert raised.value.kind is kind


def test_a_stream_without_its_end_is_cut() -> None:
    """Unknown events are passed over."""
    gathering = CHAT.gathering()
    assert gathering.take('{"type": "something_new"}') == ""
    with pytest.raises(Failure, match="in the middle"):
        gathering.whole()
