"""A real language model over real HTTP: small, local, and slow. `scripts/test-model` installs it and runs this."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Literal

import pytest
from pydantic import BaseModel

from lion_broker import Branch, iModel
from tests.stage import Program, Stage

pytestmark = [
    pytest.mark.skipif(find_spec("xllamacpp") is None, reason="scripts/test-model installs the model"),
    pytest.mark.anyio,
    pytest.mark.timeout(600),
]


class Animal(BaseModel):
    """A form of an answer."""

    name: Literal["lion", "owl", "bee"]
    legs: int


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The base URL of the model's server."""
    program = Program(("-m", "tests.apps.small_model"), {})
    yield f"{program.line()}/v1"
    program.end()


@pytest.fixture
def branch(url: str) -> Branch:
    """A branch with the model."""
    model = iModel("openai", "smollm2", base_url=url, temperature=0, max_tokens=40, timeout=300, read_timeout=300)
    return Branch(system="You answer briefly.", chat_model=model)


async def test_it_answers_in_prose(branch: Branch) -> None:
    """Words and no markup of its own, and a conversation that grows, as the server's count of tokens tells.

    What it knows is not tested: it is a very small model.
    """
    first = await branch.communicate("What is the capital of France?")
    second = await branch.communicate("And of Italy?")
    assert all(len(text.split()) > 1 and "<|" not in text for text in (first, second))
    answers = [message for message in branch.messages if message.role == "assistant"]
    prompts = [answer.metadata["usage"]["prompt_tokens"] for answer in answers]
    assert 0 < prompts[0] < prompts[1]


async def test_it_streams(branch: Branch) -> None:
    """The pieces are the answer that is kept."""
    pieces = [piece async for piece in branch.stream("What is the capital of France?")]
    assert len(pieces) > 1
    assert "".join(pieces) == branch.messages[-1].text


async def test_it_keeps_to_a_schema(branch: Branch) -> None:
    """The server lets the model say nothing that the schema does not allow."""
    animal = await branch.communicate("Which animal roars, and how many legs has it?", response_format=Animal)
    assert isinstance(animal, Animal)


@pytest.mark.redis
@pytest.mark.processes
async def test_the_research_desk_asks_it(stage: Stage, url: str) -> None:
    """Two variables lead the desk to it; every quote is genuine all the same."""
    environ = {"LION_BROKER_DEMO_MODEL": "smollm2", "LION_BROKER_DEMO_MODEL_URL": url}
    told = stage.start("-m", "lion_broker", "demo", "research", "--json", "--timeout", "500", **environ).told()
    assert "in the words of openai/smollm2" in told["report"]
    assert (told["quote_fidelity"], told["lost"], told["duplicates"]) == (1.0, 0, 0)
