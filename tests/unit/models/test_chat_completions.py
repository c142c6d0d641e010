"""Chat completions: what is written and what is read, without a line."""

import json
from typing import Any

import pytest

from lion_broker import ToolCall
from lion_broker.models.failure import Failure, Kind
from lion_broker.models.providers.chat_completions import ChatCompletions

CHAT = ChatCompletions()
USER = {"role": "user", "content": "Hi."}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}


def refusal(message: str, status: int = 400, **error: Any) -> Failure:
    """A failure with an error object."""
    return Failure(Kind.REFUSED, message, status=status, error={"message": message, **error})


def gathered(*chunks: Any) -> Any:
    """What chunks of a stream make."""
    gathering = CHAT.gathering()
    for chunk in chunks:
        gathering.take(chunk if isinstance(chunk, str) else json.dumps(chunk))
    return gathering.whole()


def delta(finish_reason: str | None = None, index: int = 0, **delta: Any) -> dict[str, Any]:
    """A chunk with one choice."""
    return {"model": "m", "choices": [{"index": index, "delta": delta, "finish_reason": finish_reason}]}


def test_parameters_pass_through() -> None:
    """Except those that are not given, and those that would change what is asked."""
    parameters = {"temperature": 0, "stop": None, "stream": True, "model": "other", "messages": [], "tools": [1]}
    body = CHAT.body("m", [USER], parameters, False, ())
    assert body == {"temperature": 0, "tools": [1], "model": "m", "messages": [USER]}


def test_a_stream_asks_for_its_usage() -> None:
    """Unless the server has refused that, or the caller wants something else."""
    assert CHAT.body("m", [USER], {}, True, ())["stream_options"] == {"include_usage": True}
    assert "stream_options" not in CHAT.body("m", [USER], {}, True, {"stream_options"})
    given = {"stream_options": {"include_usage": False}}
    assert CHAT.body("m", [USER], given, True, ())["stream_options"] == {"include_usage": False}
    assert "stream_options" not in CHAT.body("m", [USER], given, False, ())


def test_the_ladder_of_response_formats() -> None:
    """json_schema, then json_object with the schema in words, then words alone."""
    body = CHAT.body("m", [USER], {"response_format": SCHEMA}, False, ())
    assert body["response_format"] == SCHEMA
    assert CHAT.concession(refusal("'response_format' of type 'json_schema' is not supported"), body) == "json_schema"
    body = CHAT.body("m", [USER], {"response_format": SCHEMA}, False, {"json_schema"})
    assert body["response_format"] == {"type": "json_object"}
    assert '{"type":"object"}' in body["messages"][0]["content"]
    assert CHAT.concession(refusal("response_format: unknown", 422), body) == "json_object"
    body = CHAT.body("m", [USER], {"response_format": SCHEMA}, False, {"json_schema", "json_object"})
    assert "response_format" not in body
    assert '{"type":"object"}' in body["messages"][0]["content"]


@pytest.mark.parametrize(
    ("failure", "learned"),
    [
        (refusal("Invalid schema for response_format 'n'"), "json_schema once"),
        (refusal("Unsupported parameter", param="response_format"), "json_schema"),
        (refusal("'max_tokens' is not supported. Use 'max_completion_tokens' instead."), "max_tokens"),
        (refusal("Unknown argument", param="stream_options"), "stream_options"),
        (refusal("the model does not exist"), ""),
        (refusal("response_format", 401), ""),
    ],
)
def test_what_can_be_done_without(failure: Failure, learned: str) -> None:
    """It is read from the words of the refusal; a wrong schema says nothing about other schemas."""
    body = {"response_format": SCHEMA, "max_tokens": 5, "stream_options": {}}
    assert CHAT.concession(failure, body) == learned


def test_max_tokens_has_another_name_for_some_models() -> None:
    """The limit is kept."""
    body = CHAT.body("m", [USER], {"max_tokens": 5}, False, {"max_tokens"})
    assert (body.get("max_tokens"), body["max_completion_tokens"]) == (None, 5)


def test_words_join_the_system_message_that_there_is() -> None:
    """In text or in parts."""
    for content in ("Be brief.", [{"type": "text", "text": "Be brief."}]):
        system = {"role": "system", "content": content}
        (first, second) = CHAT.body("m", [system, USER], {"response_format": SCHEMA}, False, {"json_schema"})[
            "messages"
        ]
        assert "Be brief." in str(first["content"])
        assert "JSON schema" in str(first["content"])
        assert (second, system["content"]) == (USER, content)


def test_a_whole_answer_is_read() -> None:
    """Text, calls, usage and the reason, as they are; parts and objects as some servers send them."""
    message = {
        "content": [{"type": "text", "text": "a"}, {"text": "b"}],
        "tool_calls": [{"function": {"name": "f", "arguments": {"x": 1}}}],
    }
    answer = {
        "model": "m",
        "choices": [{"message": message, "finish_reason": "length"}],
        "usage": {"total_tokens": 3, "details": {"cached": 1}},
    }
    reply = CHAT.reply(json.dumps(answer).encode())
    assert (reply.text, reply.finish_reason, reply.usage["details"]) == ("ab", "length", {"cached": 1})
    assert reply.tool_calls == (ToolCall("call_0", "f", '{"x": 1}'),)
    assert reply.raw == answer
    refused = {"choices": [{"message": {"content": None, "refusal": "No."}}]}
    assert CHAT.reply(json.dumps(refused).encode()).text == "No."


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"<html>",
        b"{}",
        b'{"choices": []}',
        b'{"choices": [{"message": 5}]}',
        b'{"choices": 5}',
        b"[" * 9999,
    ],
)
def test_nonsense_is_malformed(body: bytes) -> None:
    """Whatever is no chat completion."""
    with pytest.raises(Failure) as raised:
        CHAT.reply(body)
    assert raised.value.kind is Kind.MALFORMED


def test_a_stream_is_gathered() -> None:
    """Texts, and parallel calls whose pieces are mixed, by their index."""

    def part(index: int, text: str, **more: Any) -> dict[str, Any]:
        return {"index": index, "function": {"arguments": text, **more.pop("function", {})}, **more}

    reply = gathered(
        delta(role="assistant", content=None),
        delta(content="Wa"),
        delta(content="it.", index=1),
        delta(content="it."),
        delta(tool_calls=[part(1, "", id="b", function={"name": "g"}), part(0, "", id="a", function={"name": "f"})]),
        delta(tool_calls=[part(0, '{"x"'), part(1, "{")]),
        delta(tool_calls=[part(1, "}"), part(0, ":1}")], finish_reason="tool_calls"),
        {"choices": [], "usage": {"total_tokens": 9}},
        "[DONE]",
    )
    assert (reply.text, reply.finish_reason, reply.usage, reply.model) == (
        "Wait.",
        "tool_calls",
        {"total_tokens": 9},
        "m",
    )
    assert reply.tool_calls == (ToolCall("a", "f", '{"x":1}'), ToolCall("b", "g", "{}"))


def test_calls_without_an_index_are_told_apart_by_their_ids() -> None:
    """As some servers stream them."""

    def part(**call: Any) -> dict[str, Any]:
        return delta(tool_calls=[call])

    reply = gathered(
        part(id="a", function={"name": "f", "arguments": "{}"}),
        part(id="b", function={"name": "g", "arguments": "{"}),
        part(function={"arguments": "}"}),
        delta("stop"),
    )
    assert [(call.id, call.arguments) for call in reply.tool_calls] == [("a", "{}"), ("b", "{}")]


@pytest.mark.parametrize(
    ("chunks", "kind"),
    [
        (["<html>"], Kind.MALFORMED),
        ([{"choices": 5}], Kind.MALFORMED),
        ([{"choices": [{"delta": {"tool_calls": [5]}}]}], Kind.MALFORMED),
        ([delta(content="a")], Kind.CUT),
        ([delta(content="a"), {"error": {"message": "Overloaded"}}], Kind.CUT),
    ],
)
def test_streams_that_go_wrong(chunks: list[Any], kind: Kind) -> None:
    """Nonsense, an end in the middle, an error in place of a chunk."""
    with pytest.raises(Failure) as raised:
        gathered(*chunks)
    assert raised.value.kind is kind


def test_the_end_may_be_told_in_either_way() -> None:
    """A reason without the mark, or the mark without a reason."""
    assert gathered(delta("stop", content="a")).text == "a"
    assert gathered(delta(content="a"), "[DONE]").finish_reason == "stop"
