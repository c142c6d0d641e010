"""chat and communicate: a question, an answer, and what of it is kept."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from pydantic import BaseModel, field_validator

from lion_broker import AssistantResponse, Branch, BranchError, Instruction, ModelError
from lion_broker.errors import ConfigError, ModelRateLimited, OutputInvalid
from lion_broker.testing import Asked, ScriptedModel

from .conftest import Think

pytestmark = pytest.mark.anyio


class City(BaseModel):
    """A form of an answer, with a rule that no schema knows."""

    name: str
    people: int = 0

    @field_validator("name")
    @classmethod
    def _capital(cls, value: str) -> str:
        if not value[:1].isupper():
            raise ValueError("names begin with a capital")
        return value


async def test_an_answer_is_a_text_and_both_sides_are_kept(think: Think) -> None:
    """The system message is sent, what was said before goes along, and usage and model are noted."""
    model = ScriptedModel("Clear skies.", "In an hour.")
    branch = await think(model, system="You plan trips.")
    assert await branch.communicate("How is the weather?", guidance="Be brief.", context=["Rome"]) == "Clear skies."
    assert await branch.communicate("When does the train leave?") == "In an hour."
    first, second = model.requests
    assert [message["role"] for message in first.messages] == ["system", "user"]
    assert first.messages[0]["content"] == "You plan trips."
    assert all(text in first.text for text in ("How is the weather?", "Be brief.", "Rome"))
    assert [message["role"] for message in second.messages] == ["system", "user", "assistant", "user"]
    _, asked, answer, *_ = branch.messages
    assert isinstance(asked, Instruction)
    assert isinstance(answer, AssistantResponse)
    assert (asked.recipient, answer.sender) == (branch.id, branch.id)
    assert answer.metadata["model"] == "scripted/model"
    assert answer.metadata["usage"]["total_tokens"] > 0
    assert len(branch.messages) == 5


async def test_chat_keeps_nothing(think: Think) -> None:
    """It answers as communicate does, from the same conversation, and leaves it as it was."""
    model = ScriptedModel("one", "two", "three")
    branch = await think(model)
    await branch.communicate("first")
    assert await branch.chat("second", temperature=0.5) == "two"
    asked, answer = await branch.chat("third", return_ins_res_message=True)
    assert (asked.instruction, answer.response) == ("third", "three")
    assert len(branch.messages) == 2
    assert model.requests[1].parameters["temperature"] == 0.5
    assert len(model.requests[2].messages) == 3


@pytest.mark.parametrize("name", ["response_format", "request_model", "operative_model"])
async def test_an_answer_takes_its_form(think: Think, name: str) -> None:
    """A pydantic class is shown to the model as a schema and made by the caller; its aliases do the same."""
    model = ScriptedModel({"name": "Rome", "people": 3})
    branch = await think(model)
    form: dict[str, Any] = {name: City}
    assert await branch.communicate("Which city?", **form) == City(name="Rome", people=3)
    (asked,) = model.requests
    assert asked.parameters["response_format"]["json_schema"]["schema"]["properties"].keys() == {"name", "people"}


@pytest.mark.parametrize(
    ("form", "answer", "value"),
    [
        (dict[str, int], '{"a": 1}', {"a": 1}),
        (list[City], '[{"name": "Rome"}]', [City(name="Rome")]),
        ({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}, '{"n": 1}', {"n": 1}),
        (City, 'Here:\n```json\n{"Name": "Rome", "people": "3"}\n```', City(name="Rome", people=3)),
        (City, '{"name": "Rome", people: 3,', City(name="Rome", people=3)),
    ],
)
async def test_many_things_are_forms(think: Think, form: Any, answer: str, value: Any) -> None:
    """Types and JSON schemas; answers in fences, with other keys, or broken are read all the same."""
    branch = await think(ScriptedModel(answer))
    assert await branch.communicate("Well?", response_format=form) == value


async def test_some_fields_are_asked_for(think: Think) -> None:
    """Named fields come as a dict, shown to the model; what is missing is left out."""
    model = ScriptedModel({"name": "Rome", "more": 1})
    branch = await think(model)
    asked = {"name": "of the city", "people": "how many"}
    assert await branch.communicate("Which?", request_fields=asked) == {"name": "Rome"}
    assert "how many" in model.requests[0].text


async def test_an_answer_without_form_is_an_error_that_has_it(think: Think) -> None:
    """The model is asked to mend it as often as it may; then the error has the text, and both sides are kept."""
    model = ScriptedModel("no idea", "still none", "none", repeat=True)
    branch = await think(model)
    with pytest.raises(OutputInvalid, match="no JSON") as caught:
        await branch.communicate("Which city?", response_format=City, num_parse_retries=2)
    assert caught.value.text == "no idea"
    assert len(model.requests) == 3
    assert len(branch.messages) == 2
    assert await branch.communicate("Which?", response_format=City, skip_validation=True) == "none"


async def test_a_model_mends_an_answer(think: Think) -> None:
    """What is mended is the value; the conversation has what the model said at first."""
    branch = await think(ScriptedModel("It is Rome.", {"name": "Rome"}))
    assert await branch.communicate("Which city?", response_format=City) == City(name="Rome")
    assert [message.text for message in branch.messages][1] == "It is Rome."


async def test_rules_of_a_class_hold_at_the_caller(think: Think) -> None:
    """A value that fits the schema but not the class is an answer without its form."""
    branch = await think(ScriptedModel({"name": "rome"}, repeat=True))
    with pytest.raises(OutputInvalid, match="capital"):
        await branch.communicate("Which city?", response_format=City, num_parse_retries=0)


async def test_a_failed_call_leaves_the_conversation_as_it_was(think: Think) -> None:
    """The error arrives as it is, and the next question finds the branch as before."""
    branch = await think(ScriptedModel("one", ModelRateLimited("out of order"), "two"))
    await branch.communicate("first")
    with pytest.raises(ModelRateLimited, match="out of order"):
        await branch.communicate("second", clear_messages=True)
    assert len(branch.messages) == 2
    assert await branch.communicate("third") == "two"
    assert len(branch.messages) == 4


async def test_python_errors_keep_their_class(think: Think) -> None:
    """What a model's endpoint raises is raised at the caller, wherever the branch lives."""
    branch = await think(ScriptedModel(KeyError("nothing"), ZeroDivisionError("by nought")))
    with pytest.raises(KeyError) as caught:
        await branch.communicate("first")
    assert caught.value.args == ("nothing",)
    with pytest.raises(ZeroDivisionError, match="by nought"):
        await branch.communicate("second")


async def test_what_the_model_sees_can_be_chosen(think: Think) -> None:
    """`progression` names messages; `clear_messages` forgets all but the system message."""
    model = ScriptedModel("one", "two", "three")
    branch = await think(model, system="Be brief.")
    await branch.communicate("first")
    await branch.communicate("second", progression=[])
    assert [message["role"] for message in model.requests[1].messages] == ["user"]
    await branch.communicate("third", clear_messages=True)
    assert [message["role"] for message in model.requests[2].messages] == ["system", "user"]
    assert [message.text for message in branch.messages] == ["Be brief.", "third", "three"]


async def test_images_travel(think: Think) -> None:
    """An image is a part of the question."""
    model = ScriptedModel("a lion")
    branch = await think(model)
    await branch.communicate("What is it?", images=["https://example.org/a.png"], image_detail="high")
    content = model.requests[0].messages[-1]["content"]
    assert {"url": "https://example.org/a.png", "detail": "high"} in [part.get("image_url") for part in content]


async def test_two_names_of_one_thing(think: Think) -> None:
    """Aliases are accepted, but not two at once; two kinds of forms neither."""
    branch = await think(ScriptedModel("one"))
    for both in ({"imodel": "a/b", "chat_model": "a/b"}, {"response_format": City, "request_model": City},
                 {"response_format": City, "request_fields": ["name"]}):  # fmt: skip
        with pytest.raises(ConfigError):
            await branch.communicate("Which?", **both)
    assert len(branch.messages) == 0


async def test_a_branch_without_a_model_says_so(think: Think) -> None:
    """The error names the branch and says what to do."""
    branch = await think(name="ada")
    with pytest.raises(ModelError, match=r"ada has no model. Give it one"):
        await branch.communicate("Hello?")


async def test_time_runs_out(think: Think) -> None:
    """An operation ends after its timeout with a TimeoutError, and the branch goes on."""
    started: list[Asked] = []

    async def never(asked: Asked) -> str:
        if asked.text == "Hello?":
            started.append(asked)
            await anyio.sleep_forever()
        return "Here I am."

    branch = await think(ScriptedModel(never, repeat=True))
    seconds = 0.25
    while not started:  # what times out before the model was asked is not begun at all
        seconds *= 2
        with pytest.raises(TimeoutError):
            await branch.communicate("Hello?", timeout=seconds)
    assert await branch.communicate("Are you there?") == "Here I am."
    assert len(branch.messages) == 2


async def test_operations_have_names(think: Think) -> None:
    """`perform` does any of them by name; another name is refused with the list."""
    branch = await think(ScriptedModel("one"))
    assert await branch.perform("communicate", {"instruction": "first"}) == "one"
    with pytest.raises(BranchError, match="communicate"):
        await branch.perform("sing", {})


async def test_models_are_named() -> None:
    """A model object, a name of the branch's or registry's, or provider/model; an unknown name says what to give."""
    branch = Branch(chat_model=ScriptedModel("one", repeat=True).imodel)
    other = ScriptedModel("other", repeat=True)
    assert await branch.communicate("a", chat_model=other.imodel) == "other"
    assert "no language model" in await branch.communicate("a lion?", imodel="offline/extractive")
    with pytest.raises(ConfigError, match="No model is named 'nobody'"):
        await branch.communicate("a", chat_model="nobody")
    with pytest.raises(ConfigError, match="not int"):
        await branch.communicate("a", chat_model=3)


async def test_something_must_be_asked(think: Think) -> None:
    """An empty question is refused before the model hears of it; context alone is one."""
    model = ScriptedModel("one", repeat=True)
    branch = await think(model)
    nothings: list[dict[str, Any]] = [{}, {"instruction": ""}, {"context": []}]
    for asked in nothings:
        with pytest.raises(ConfigError, match="Nothing is asked"):
            await branch.communicate(**asked)
    assert await branch.communicate(context=["It rains."]) == "one"
    assert len(model.requests) == 1
