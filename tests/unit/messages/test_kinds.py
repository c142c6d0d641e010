"""System, AssistantResponse, ActionRequest and ActionResponse."""

from typing import Any

import pytest
from pydantic import BaseModel

from lion_broker.errors import ConfigError
from lion_broker.messages import (
    ActionRequest,
    ActionResponse,
    ActionResponseModel,
    AssistantResponse,
    MessageRole,
    System,
)
from lion_broker.messages.system import DEFAULT_SYSTEM


class Part(BaseModel):
    """One choice of a completion."""

    message: dict[str, str]


class Completion(BaseModel):
    """The answer of a chat service as a pydantic model."""

    choices: list[Part]


class Query(BaseModel):
    """Arguments as a pydantic model."""

    text: str


def test_a_system_message() -> None:
    """A text is what the branch is told, by the system to the assistant."""
    system = System.create("Be brief.")
    assert system.chat_msg == {"role": "system", "content": "Be brief."}
    assert (system.sender, system.recipient) == (MessageRole.SYSTEM, MessageRole.ASSISTANT)
    assert System.create().text == DEFAULT_SYSTEM
    assert System.create(["a"]).text == '["a"]'


@pytest.mark.parametrize(
    "given",
    [{"role": "system", "content": "Be brief."}, {"content": "Be brief."}, System.create("Be brief.")],
)
def test_a_system_message_is_unwrapped(given: Any) -> None:
    """Of a chat message the content counts, not its dict."""
    assert System.create(system=given).text == "Be brief."


def test_the_time_of_a_system_message() -> None:
    """A time that is given is told as it is, True is the time now, False takes it out."""
    system = System.create("Be brief.", "noon", tone="{x}", template="{system_datetime} {tone}")
    assert system.text == "noon {x}"
    dated = System.create("Be brief.", True)
    assert dated.text == f"Date and time: {dated.system_datetime}\n\nBe brief."
    assert (dated.system_datetime or "").endswith(" UTC")
    dated.update(system_message={"content": "Be kind."}, system_datetime=False)
    assert dated.text == "Be kind."
    with pytest.raises(ConfigError, match="not both"):
        System.create("a", system="b")


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("yes", "yes"),
        (None, ""),
        ("", ""),
        ([], ""),
        ({"content": "yes"}, "yes"),
        ({"content": None, "tool_calls": []}, ""),
        ({"content": [{"type": "text", "text": "y"}, {"type": "text", "text": "es"}]}, "yes"),
        ({"choices": [{"message": {"content": "yes"}}, {"message": {"content": "no"}}]}, "yes"),
        ([{"choices": [{"delta": {"content": "y"}}]}, {"choices": [{"delta": {}}]}, "es"], "yes"),
        (Completion(choices=[Part(message={"content": "yes"})]), "yes"),
    ],
)
def test_answers_in_many_shapes(answer: Any, text: str) -> None:
    """Text, chat messages, completions and chunks give the text of the answer."""
    message = AssistantResponse.create(answer)
    assert message.response == message.text == text
    assert (message.role, message.recipient) == (MessageRole.ASSISTANT, MessageRole.USER)


def test_the_raw_answer_is_kept() -> None:
    """What came with the text is in the metadata, until the answer is another one."""
    raw = {"choices": [{"message": {"content": "yes"}}], "usage": {"total": 3}}
    message = AssistantResponse.create(raw, sender="model")
    assert message.model_response == raw
    assert AssistantResponse.from_dict(message.to_dict()).model_response == raw
    message.response = "no"
    assert (message.response, message.model_response, message.sender) == ("no", {}, "model")
    message.update(assistant_response="")
    assert message.response == ""


@pytest.mark.parametrize("arguments", [{"text": "a"}, '{"text": "a"}', Query(text="a")])
def test_a_request_of_a_call(arguments: Any) -> None:
    """Arguments are a dict, its JSON, or a model; the function is a name or has one."""
    request = ActionRequest.create(len, arguments)
    assert request.request == {"function": "len", "arguments": {"text": "a"}}
    assert request.text == '{"function": "len", "arguments": {"text": "a"}}'
    assert (request.role, request.is_responded()) == (MessageRole.ACTION, False)


@pytest.mark.parametrize("arguments", [None, {}, "", "{}"])
def test_a_request_without_arguments(arguments: Any) -> None:
    """A call may have no arguments."""
    assert ActionRequest.create("now", arguments).arguments == {}


@pytest.mark.parametrize(
    ("function", "arguments"), [("f", "[1]"), ("f", "{"), ("f", [1]), ("", {}), (5, {}), (object(), {})]
)
def test_what_is_no_call(function: Any, arguments: Any) -> None:
    """Arguments that are no dictionary and functions without name are refused."""
    with pytest.raises(ConfigError, match=r"are a dictionary|is called by its name"):
        ActionRequest.create(function, arguments)


@pytest.mark.parametrize("output", [0, "", [], None, False, {"a": [1]}])
def test_every_output_is_kept(output: Any) -> None:
    """A response keeps its output as it is, also when it is false, and the request knows of it."""
    request = ActionRequest.create("f", {"x": 1}, sender="branch", recipient="tool")
    response = ActionResponse.create(request, output)
    assert response.output == output
    assert response.response == {"function": "f", "arguments": {"x": 1}, "output": output}
    assert (response.sender, response.recipient) == ("tool", "branch")
    assert response.action_request_id == request.id
    assert request.action_response_id == response.id
    assert ActionResponse.from_dict(response.to_dict()).output == output


def test_outputs_without_a_json_form() -> None:
    """An object becomes its text, for the model to read."""
    response = ActionResponse.create(ActionRequest.create("f"), {"a": object})
    assert response.output == {"a": "<class 'object'>"}
    response.update(output={1, 2})
    assert response.output == [1, 2]


def test_a_response_from_its_model() -> None:
    """Function, arguments and output may come as one value."""
    model = ActionResponseModel(function="g", output=3)
    response = ActionResponse.create(ActionRequest.create("f", {"x": 1}), response_model=model)
    assert (response.function, response.arguments, response.output) == ("g", {}, 3)


def test_an_answered_request_is_fixed() -> None:
    """A request can be changed until there is a response."""
    request = ActionRequest.create("f", {"x": 1})
    request.update(function="g", arguments={"y": 2}, sender="branch")
    assert (request.function, request.arguments, request.sender) == ("g", {"y": 2}, "branch")
    response = ActionResponse.create(request, 1)
    with pytest.raises(ConfigError, match="has a response"):
        request.update(function="h")
    other = ActionRequest.create("k")
    response.update(action_request=other, sender="x")
    assert (response.function, response.action_request_id, response.output) == ("k", other.id, 1)
    assert other.action_response_id == response.id


def test_a_response_answers_a_request() -> None:
    """Nothing else can be answered."""
    with pytest.raises(ConfigError, match="answers an ActionRequest, not a System"):
        ActionResponse.create(System.create(), 1)  # type: ignore[arg-type]
