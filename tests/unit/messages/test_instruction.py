"""Instruction: what it holds, and how it reads."""

from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_core import to_json

from lion_broker.errors import ConfigError
from lion_broker.messages import Instruction, RoledMessage


class Report(BaseModel):
    """The form of an answer."""

    title: str


def test_a_text_is_written_down_without_a_message() -> None:
    """What a text stands for is byte for byte what the message would have been."""
    message = Instruction.create("2+2?")
    written = Instruction.dict_of("2+2?", str(message.id), message.created_at)
    assert RoledMessage.from_dict(written, loaded=False).to_dict() == written
    assert to_json(message.to_dict()) == to_json(written)


def test_an_instruction_alone_is_its_text() -> None:
    """Nothing is put around a plain instruction; values that are no text are JSON."""
    assert Instruction.create("2+2?").chat_msg == {"role": "user", "content": "2+2?"}
    assert Instruction.create({"a": 1}).text == '{"a": 1}'
    assert Instruction.create().text == ""
    assert Instruction.create("a", plain_content="b").text == "b"


def test_sections() -> None:
    """Guidance, context, tools and the form of the answer stand under headings, in this order."""
    instruction = Instruction.create(
        "Sum up.",
        guidance="Be brief.",
        context=["one", {"two": 2}],
        tool_schemas={"name": "search"},
        request_fields={"title": str, "pages": "how many"},
    )
    assert instruction.text == (
        '## Guidance\nBe brief.\n\n## Instruction\nSum up.\n\n## Context\n- one\n- {"two": 2}\n\n'
        '## Tools\n- {"name": "search"}\n\n'
        "## Answer\nAnswer with one JSON object in a ```json block. It has these fields:\n"
        '```json\n{\n  "title": "str",\n  "pages": "how many"\n}\n```'
    )


def test_the_form_of_the_answer() -> None:
    """A class is kept live and written as its schema; what is read back has the schema only."""
    instruction = Instruction.create("Sum up.", response_format=Report)
    assert instruction.response_format is instruction.request_model is Report
    assert instruction.respond_schema_info == Report.model_json_schema()
    assert '"title"' in instruction.text
    assert instruction.clone().response_format is Report
    restored = Instruction.from_dict(instruction.to_dict())
    assert restored.response_format is None
    assert restored.text == instruction.text


def test_another_form_of_the_answer() -> None:
    """The form can be replaced by any type, and taken away."""
    instruction = Instruction.create("Sum up.", response_format=Report)
    instruction.response_format = list[int]
    assert instruction.respond_schema_info == {"items": {"type": "integer"}, "type": "array"}
    instruction.response_format = None
    assert instruction.text == "Sum up."


@pytest.mark.parametrize("form", [Report, Report(title="a"), Report.model_json_schema()])
def test_forms_of_a_form(form: Any) -> None:
    """A class, an instance or a schema say the same."""
    assert Instruction.create(request_model=form).respond_schema_info == Report.model_json_schema()


def test_one_form_only() -> None:
    """Two forms, or something that is none, are refused."""
    with pytest.raises(ConfigError, match="only one of"):
        Instruction.create(response_format=Report, request_fields=["title"])
    with pytest.raises(ConfigError, match="no form of an answer"):
        Instruction.create(response_format=type("Plain", (), {}))


def test_fields_by_name() -> None:
    """Names alone are fields without description."""
    assert Instruction.create(request_fields=["a", "b"]).request_fields == {"a": "...", "b": "..."}
    assert Instruction.create(request_fields="a").request_fields == {"a": "..."}


def test_images() -> None:
    """With images the content is a list of parts; base64 is taken as a JPEG."""
    instruction = Instruction.create("What is it?", images="https://example.org/a.png", image_detail="high")
    instruction.extend_images(["aGk=", "data:image/png;base64,aGk="])
    parts: Any = instruction.rendered
    assert parts[0] == {"type": "text", "text": "What is it?"}
    assert instruction.image_content == parts[1:]
    assert [part["image_url"] for part in parts[1:]] == [
        {"url": "https://example.org/a.png", "detail": "high"},
        {"url": "data:image/jpeg;base64,aGk=", "detail": "high"},
        {"url": "data:image/png;base64,aGk=", "detail": "high"},
    ]


def test_context_grows() -> None:
    """Update and extend append to the context, the property replaces it."""
    instruction = Instruction.create("a", context="one")
    instruction.update(context=["two"])
    instruction.extend_context(3, four=4)
    assert instruction.context == ["one", "two", 3, {"four": 4}]
    instruction.context = None
    assert instruction.context == []


def test_properties_change_the_content() -> None:
    """Each property sets its key of the content, and None takes it out."""
    instruction = Instruction.create()
    instruction.instruction, instruction.guidance = "a", "b"
    instruction.images, instruction.image_detail = ["aGk="], "auto"
    instruction.tool_schemas, instruction.plain_content = [{"name": "f"}], "c"
    instruction.request_fields = ["d"]
    assert instruction.content == {
        "context": [],
        "instruction": "a",
        "guidance": "b",
        "images": ["aGk="],
        "image_detail": "auto",
        "tool_schemas": [{"name": "f"}],
        "plain_content": "c",
        "request_fields": {"d": "..."},
    }
    instruction.tool_schemas = instruction.plain_content = instruction.request_fields = None
    assert "tool_schemas" not in instruction.content
    assert instruction.text == "## Guidance\nb\n\n## Instruction\na"


def test_writing_changes_nothing() -> None:
    """An instruction is as it was after it has been written, twice."""
    instruction = Instruction.create("a", response_format=Report, context={"b": 1})
    first, second = instruction.to_dict(), instruction.to_dict()
    assert first == second
    assert instruction.response_format is Report
    assert RoledMessage.from_dict(first, loaded=False).to_dict() == first
