"""One call of a tool: it never raises, and says what happened."""

import sys
import threading
from functools import partial
from typing import Any

import anyio
import pytest

from lion_broker.core.event import EventStatus
from lion_broker.tools import FunctionCalling, Tool

pytestmark = pytest.mark.anyio


def identity(value: Any) -> Any:
    """Return what is given."""
    return value


async def call(tool: Tool, **arguments: Any) -> FunctionCalling:
    """Make a call and return it."""
    calling = FunctionCalling(func_tool=tool, arguments=arguments)
    await calling.invoke()
    return calling


@pytest.mark.parametrize("result", [0, "", [], {}, None, False])
async def test_any_result_is_kept(result: Any) -> None:
    """A falsy result is a result."""
    calling = await call(Tool(func_callable=identity), value=result)
    assert calling.status == EventStatus.COMPLETED
    assert calling.response == result
    assert calling.error is None


async def test_sync_functions_run_in_a_thread() -> None:
    """A function that blocks does not block the loop."""
    calling = await call(Tool(name="where", func=lambda: threading.get_ident()))
    assert calling.response != threading.get_ident()


async def test_async_functions_are_awaited_on_the_loop() -> None:
    """Coroutine functions, partials of them and objects with an async `__call__` stay where they belong."""

    class Caller:
        async def __call__(self, number: int) -> int:
            return threading.get_ident() + number

    async def where(number: int) -> int:
        return threading.get_ident() + number

    for function in (where, partial(where), Caller()):
        calling = await call(Tool(func_callable=function), number=0)
        assert calling.response == threading.get_ident()


async def test_an_awaitable_from_a_sync_function_is_awaited() -> None:
    """A lambda around a coroutine function gives its result, not the coroutine."""

    async def late() -> str:
        return "late"

    calling = await call(Tool(name="late", func=lambda: late()))
    assert calling.response == "late"


async def test_a_failing_tool_is_a_failed_call() -> None:
    """What a tool raises is told by type and text."""

    def fail() -> None:
        raise KeyError("nothing there")

    calling = await call(Tool(func_callable=fail))
    assert calling.status == EventStatus.FAILED
    assert calling.error == "KeyError: 'nothing there'"
    assert calling.response is None


async def test_a_tool_that_exits_does_not_take_the_process_along() -> None:
    """`sys.exit` in a tool fails the call."""
    calling = await call(Tool(func_callable=partial(sys.exit, 3), name="leave"))
    assert calling.error == "SystemExit: 3"


async def test_unfitting_arguments_are_a_failed_call() -> None:
    """The tool is not called, and the error says what is wrong with the arguments."""
    calling = await call(Tool(func_callable=identity), wrong=1)
    assert calling.status == EventStatus.FAILED
    assert "value is missing" in str(calling.error)


async def test_a_slow_tool_runs_out_of_time() -> None:
    """The timeout of the call goes before that of the tool, and the error names it."""
    tool = Tool(name="wait", func=anyio.sleep_forever, timeout=60)
    calling = FunctionCalling(func_tool=tool, timeout=0.01)
    await calling.invoke()
    assert calling.error == "wait took longer than 0.01 s"


async def test_a_timeout_of_the_tools_own_is_its_error() -> None:
    """A TimeoutError that a tool raises is told as what it is."""

    async def impatient() -> None:
        raise TimeoutError("the other side is slow")

    calling = await call(Tool(func_callable=impatient, timeout=60))
    assert calling.error == "TimeoutError: the other side is slow"


async def test_cancellation_is_noted_and_goes_on() -> None:
    """A cancelled call is failed, and the cancellation reaches whoever cancelled."""
    calling = FunctionCalling(func_tool=Tool(name="wait", func=anyio.sleep_forever))
    with anyio.move_on_after(0.01) as scope:
        await calling.invoke()
    assert scope.cancelled_caught
    assert calling.error == "wait was cancelled"


async def test_processors_change_what_goes_in_and_what_comes_out() -> None:
    """The preprocessor sees the arguments before they are checked, the postprocessor the result; both may be async."""

    async def doubled(result: int, times: int) -> int:
        return result * times

    tool = Tool(
        func_callable=identity,
        preprocessor=lambda arguments, name: {name: arguments["text"]},
        preprocessor_kwargs={"name": "value"},
        postprocessor=doubled,
        postprocessor_kwargs={"times": 2},
    )
    calling = await call(tool, text=21)
    assert calling.response == 42


async def test_a_call_is_made_once() -> None:
    """Invoking again changes nothing."""
    made: list[int] = []
    calling = FunctionCalling(func_tool=Tool(name="make", func=lambda: made.append(1)))
    await calling.invoke()
    await calling.invoke()
    assert made == [1]


async def test_a_call_is_written_with_its_outcome() -> None:
    """The event tells its tool, arguments, status, response and duration as JSON values."""
    written = (await call(Tool(func_callable=identity), value=1)).to_dict()
    assert written["func_tool"]["function"] == "identity"
    assert written["arguments"] == {"value": 1}
    assert written["execution"]["status"] == "completed"
    assert written["execution"]["response"] == 1
    assert written["execution"]["duration"] >= 0
