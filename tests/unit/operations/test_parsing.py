"""parse: a text takes a form, with a model's help only when nothing else does it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from lion_broker.errors import ConfigError, OutputInvalid
from lion_broker.testing import ScriptedModel

from .conftest import Think

pytestmark = pytest.mark.anyio


class Person(BaseModel):
    """A form."""

    first_name: str
    age: int = 0


ADA = Person(first_name="Ada", age=36)


@pytest.mark.parametrize(
    "text",
    [
        '{"first_name": "Ada", "age": 36}',
        'Sure!\n```json\n{"first_name": "Ada", "age": 36}\n```\nAnything else?',
        "{'first_name': 'Ada', 'age': 36,}",
        '{"firstName": "Ada", "Age": 36}',
        '{"fist_name": "Ada", "age": "36"}',
    ],
    ids=["strict", "fenced", "broken", "other spelling", "typing error"],
)
async def test_no_model_is_needed(think: Think, text: str) -> None:
    """JSON, fenced, broken, or with keys that are nearly right; nothing is recorded."""
    model = ScriptedModel()
    branch = await think(model)
    assert await branch.parse(text, request_type=Person) == ADA
    assert (model.requests, len(branch.messages)) == ([], 0)


async def test_a_model_helps(think: Think) -> None:
    """What cannot be read is brought into form by the model, which is told what is wrong."""
    model = ScriptedModel({"first_name": "Ada"}, {"first_name": "Ada", "age": 36})
    branch = await think(model)
    both = await branch.parse("Ada, who is 36", request_type=Person), len(model.requests)
    assert both == (Person(first_name="Ada"), 1)


async def test_what_cannot_be_read(think: Think) -> None:
    """The text itself, None, or an error, as the caller says; the model is asked as often as it may."""
    model = ScriptedModel("no", repeat=True)
    branch = await think(model)
    assert await branch.parse("nothing", request_type=Person) == "nothing"
    assert len(model.requests) == 3
    assert await branch.parse("nothing", "return_none", 0, Person) is None
    with pytest.raises(OutputInvalid, match="no JSON"):
        await branch.parse("nothing", "raise", max_retries=1, request_type=Person)
    assert len(model.requests) == 4


async def test_keys_that_are_like_none(think: Think) -> None:
    """They are kept, dropped, refused, or missing ones filled."""
    branch = await think()
    text = '{"first_name": "Ada", "planet": "Earth"}'
    form = {"type": "object", "properties": {"first_name": {}, "age": {}}}

    async def parsed(**rules: Any) -> Any:
        return await branch.parse(text, "raise", 0, form, **rules)

    assert await parsed() == {"first_name": "Ada", "planet": "Earth"}
    assert await parsed(handle_unmatched="remove") == {"first_name": "Ada"}
    assert await parsed(handle_unmatched="fill", fill_value=7) == {"first_name": "Ada", "planet": "Earth", "age": 7}
    assert await parsed(handle_unmatched="force", fill_mapping={"age": 8}) == {"first_name": "Ada", "age": 8}
    with pytest.raises(OutputInvalid, match="planet"):
        await parsed(handle_unmatched="raise")
    with pytest.raises(OutputInvalid, match="age"):
        await parsed(strict=True)
    for wrong in ({"handle_unmatched": "eat"}, {"similarity_algo": "magic"}, {"similarity_threshold": 2.0}):
        with pytest.raises(ConfigError):
            await parsed(**wrong)


async def test_without_a_form_there_is_nothing_to_do(think: Think) -> None:
    """The error says which argument is missing; a text is needed, too."""
    branch = await think()
    with pytest.raises(ConfigError, match="request_type="):
        await branch.parse("{}")
    with pytest.raises(ConfigError, match="not int"):
        await branch.parse(3, request_type=Person)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="no JSON schema"):
        await branch.parse("{}", request_type={"type": "nonsense"})
