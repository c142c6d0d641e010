"""Acts: what was called inside, how long it took, and how it ended."""

from __future__ import annotations

import anyio
import pytest

from lion_broker.models.imodel import iModel
from lion_broker.telemetry.acts import Act, ActKind, act, collected
from lion_broker.tools.calling import FunctionCalling
from lion_broker.tools.tool import Tool

pytestmark = pytest.mark.anyio


async def test_calls_of_models_and_tools_are_acts_of_whoever_collects() -> None:
    """Also those that run side by side, and in tasks of their own."""

    def broken(place: str) -> str:
        """Fail."""
        raise LookupError(place)

    model = iModel("offline", "extractive")
    with collected() as acts:
        async with anyio.create_task_group() as group:
            group.start_soon(model.invoke, [{"role": "user", "content": "What is a lion?"}])
            group.start_soon(FunctionCalling(func_tool=Tool(broken), arguments={"place": "x"}).invoke)
    found = {one.name: one for one in acts}
    assert found["offline/extractive"].kind is ActKind.MODEL
    assert (found["broken"].kind, found["broken"].error) == (ActKind.TOOL, "LookupError")
    assert all(one.seconds > 0 and one.began > 1.7e9 for one in acts)


async def test_a_tool_that_runs_out_of_time_was_cancelled() -> None:
    """The act says that it was cut."""

    async def endless() -> None:
        """Wait for ever."""
        await anyio.sleep_forever()

    with collected() as acts:
        await FunctionCalling(func_tool=Tool(endless), arguments={}, timeout=0.01).invoke()
    assert [one.error for one in acts] == ["CancelledError"]


def test_nobody_collects_outside() -> None:
    """An act outside of a collection is noted nowhere, and an inner collection keeps its own."""
    with collected() as outer:
        with act(ActKind.WAIT, "limit"), collected() as inner, act(ActKind.TOOL, "inside") as one:
            one.fields["tokens"] = 3
        with act(ActKind.TOOL, "after"):
            pass
    with act(ActKind.TOOL, "late"):
        pass
    assert [one.name for one in outer] == ["limit", "after"]
    assert inner == [Act(ActKind.TOOL, "inside", inner[0].began, inner[0].seconds, "", {"tokens": 3})]
