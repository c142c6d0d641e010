"""FunctionCalling: one call of a tool, and how it went."""

import inspect
import time
from functools import partial
from typing import Any

import anyio
from anyio import to_thread
from pydantic import Field

from lion_broker.core.event import Event, EventStatus
from lion_broker.core.portable import readable
from lion_broker.telemetry.acts import ActKind, ToolUse, act
from lion_broker.tools.tool import Tool

__all__ = ["FunctionCalling"]


class FunctionCalling(Event):
    """One call of a tool with the arguments that a model gave.

    `invoke` never raises: what happened is in `status`, `response`, `error` and `execution.duration`
    (seconds). Any result is kept, also 0, an empty text and None. `timeout` (seconds) goes before the tool's.
    """

    func_tool: Tool
    arguments: dict[str, Any] = Field(default_factory=dict)
    timeout: float | None = Field(default=None, gt=0)

    @property
    def function(self) -> str:
        """The name of the tool."""
        return self.func_tool.function

    @property
    def error(self) -> str | None:
        """Why it failed, in words that a model can act on; None as long as it has not."""
        return self.execution.error

    async def invoke(self) -> None:
        """Call the tool once: an async function is awaited, any other runs in a thread.

        A second call changes nothing. A call that runs out of time has failed; the thread of a sync function
        cannot be stopped and ends by itself. Cancellation is noted as the error and goes on to the caller.
        """
        if self.status != EventStatus.PENDING:
            return
        started = time.perf_counter()
        self.status = EventStatus.PROCESSING
        scope = anyio.CancelScope(deadline=anyio.current_time() + (self._limit or float("inf")))
        try:
            use = ToolUse(self.func_tool.description, self.arguments)
            with scope, act(ActKind.TOOL, self.function, use):
                use.result = self.response = await self._outcome()
                self.status = EventStatus.COMPLETED
            if scope.cancelled_caught:
                self._fail(f"{self.function} took longer than {self._limit:g} s")
        except (Exception, SystemExit) as error:  # a tool that exits must not take the process with it
            self._fail(f"{type(error).__name__}: {readable(error)}".removesuffix(": "))
        except BaseException:
            self._fail(f"{self.function} was cancelled")
            raise
        finally:
            self.execution.duration = time.perf_counter() - started

    @property
    def _limit(self) -> float | None:
        return self.timeout or self.func_tool.timeout

    async def _outcome(self) -> Any:
        tool, arguments = self.func_tool, dict(self.arguments)
        if tool.preprocessor is not None:
            arguments = await _run(partial(tool.preprocessor, arguments, **tool.preprocessor_kwargs))
        positional, named = tool.validated(arguments)
        result = await _run(partial(tool.func_callable, *positional, **named))
        if tool.postprocessor is not None:
            result = await _run(partial(tool.postprocessor, result, **tool.postprocessor_kwargs))
        return result

    def _fail(self, error: str) -> None:
        self.status = EventStatus.FAILED
        self.execution.error = error

    def __repr__(self) -> str:
        return f"FunctionCalling({self.function}, {self.status})"


async def _run(call: "partial[Any]") -> Any:
    """Run a function where it belongs; an awaitable that a sync one returns is awaited."""
    result = call() if _is_async(call) else await to_thread.run_sync(call, abandon_on_cancel=True)
    return await result if inspect.isawaitable(result) else result


def _is_async(function: Any) -> bool:
    """Tell whether calling makes a coroutine, also for partials and objects with an async `__call__`."""
    while isinstance(function, partial):
        function = function.func
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)
