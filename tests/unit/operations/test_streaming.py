"""stream: an answer in pieces, from here and from workers."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

import anyio
import pytest

from lion_broker import BaseBranch
from lion_broker.errors import ModelError
from lion_broker.testing import Asked, ScriptedModel

from .conftest import Think

pytestmark = pytest.mark.anyio


async def listen(branch: BaseBranch, heard: list[str], **options: Any) -> None:
    """Listen to the answer to a question."""
    async with aclosing(branch.stream("Hello?", **options)) as pieces:
        while piece := await anext(pieces, ""):
            heard.append(piece)


async def test_pieces_come_and_both_sides_are_kept(think: Think) -> None:
    """Joined they are the answer; further keywords go to the model."""
    model = ScriptedModel("Hello, my dear friend.")
    branch = await think(model, system="Be kind.")
    pieces = [piece async for piece in branch.stream("Hello?", temperature=0.1)]
    assert "".join(pieces) == "Hello, my dear friend."
    assert model.requests[0].parameters["temperature"] == 0.1
    assert [message.text for message in branch.messages] == ["Be kind.", "Hello?", "Hello, my dear friend."]


async def test_a_stream_that_breaks(think: Think) -> None:
    """What came until then was given; then the error is raised, and the conversation is as before."""
    branch = await think(ScriptedModel(("Hello, my", ModelError("cut")), "Again."))
    heard: list[str] = []
    with pytest.raises(ModelError, match="cut"):
        await listen(branch, heard)
    assert "".join(heard) == "Hello, my"
    assert len(branch.messages) == 0
    assert await branch.communicate("Hello?") == "Again."


async def test_whoever_leaves_early_stops_it(think: Think) -> None:
    """The model is not listened to any longer, and nothing is recorded."""
    left = anyio.Event()

    async def long(asked: Asked) -> object:
        if asked.text == "Again?":
            return "Yes."
        left.set()
        return " ".join(str(number) for number in range(10_000))

    branch = await think(ScriptedModel(long, repeat=True))
    async with aclosing(branch.stream("Count.")) as pieces:
        async for _ in pieces:
            break
    assert left.is_set()
    assert await branch.communicate("Again?") == "Yes."


async def test_time_runs_out(think: Think) -> None:
    """A stream that takes too long is ended by its timeout."""

    started: list[Asked] = []

    async def never(asked: Asked) -> object:
        if asked.text == "Hello?":
            started.append(asked)
            await anyio.sleep_forever()
        return "Here."

    branch = await think(ScriptedModel(never, repeat=True))
    heard: list[str] = []
    seconds = 0.25
    while not started:  # what times out before the model was asked is not begun at all
        seconds *= 2
        with pytest.raises(TimeoutError):
            await listen(branch, heard, timeout=seconds)
    assert heard == []
    assert await branch.communicate("Again?") == "Here."
