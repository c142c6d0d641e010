"""What a worker can do: tools, models and behaviours by name; nothing else is ever looked up for a mail."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar, overload

from lion_broker.config import Settings
from lion_broker.core.numbers import counted
from lion_broker.errors import BehaviourUnknown, ConfigError, ItemNotFoundError, ToolUnknown
from lion_broker.mail.exchange import Exchange
from lion_broker.mail.mail import Mail
from lion_broker.models.imodel import iModel
from lion_broker.models.policy import ModelPolicy
from lion_broker.models.shared import share_limits
from lion_broker.tools.tool import Tool

from .behaviours import BUILT_IN
from .retry_policy import DEFAULT_RETRY_POLICY, OnFailure, RetryPolicy

if TYPE_CHECKING:
    from .branch import Branch

__all__ = ["Behaviour", "BehaviourFunction", "Registry"]

BehaviourFunction = Callable[["Branch", Mail], Awaitable[None]]
F = TypeVar("F", bound=Callable[..., Any] | Tool)
B = TypeVar("B", bound=Callable[..., Awaitable[None]])


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What a branch does with mail, and with mail at which that fails.

    `record` says whether messages join the history before it runs.
    """

    name: str
    function: BehaviourFunction
    record: bool = True
    retry_policy: RetryPolicy = DEFAULT_RETRY_POLICY


class Registry:
    """The tools, models and behaviours that a worker offers, each under one name.

    Made once where a program starts and handed to workers (`lion-broker worker --app module:registry`).
    """

    def __init__(self) -> None:
        self.tools: dict[str, Tool] = {}
        self.models: dict[str, iModel] = {}
        self.behaviours: dict[str, Behaviour] = {}
        self._exchange: Exchange | None = None

    @cached_property
    def model_policy(self) -> ModelPolicy:
        """What is allowed of models that come by mail with settings; read from the environment when it is needed."""
        return ModelPolicy.of(Settings.load())

    def share_limits(self, exchange: Exchange) -> None:
        """Let the limits of models hold for all processes on an exchange together; done by workers and sessions."""
        self._exchange = exchange
        for model in self.models.values():
            share_limits(model, exchange)

    def received_model(self, settings: Mapping[str, Any]) -> iModel:
        """Return the model of settings that came from somebody else; raises ConfigError for what is not allowed."""
        model = self.model_policy.received(settings)
        if self._exchange is not None:
            share_limits(model, self._exchange)
        return model

    @overload
    def tool(self, function: F, /) -> F: ...

    @overload
    def tool(
        self, function: None = None, /, *, name: str | None = None, once: bool = False, timeout: float | None = None
    ) -> Callable[[F], F]: ...

    def tool(
        self, function: Any = None, /, *, name: str | None = None, once: bool = False, timeout: float | None = None
    ) -> Any:
        """Register a function (or a Tool) under its own or the given name; a decorator, with or without call.

        `once` marks a tool whose call must not be repeated when a worker dies in the middle; `timeout` is in seconds.
        """
        if function is None:
            return lambda made: self.tool(Tool(name=name or "", func=made, once=once, timeout=timeout)) and made
        tool = function if isinstance(function, Tool) else Tool(func_callable=function)
        self._new(self.tools, tool.function, "tool")
        tool.metadata["ref"] = tool.function
        self.tools[tool.function] = tool
        return function

    def model(self, name: str, model: iModel, /) -> iModel:
        """Register a model under a name."""
        self._new(self.models, name, "model")
        model.metadata["ref"] = name
        if self._exchange is not None:
            share_limits(model, self._exchange)
        self.models[name] = model
        return model

    def behaviour(
        self,
        name: str,
        /,
        *,
        record: bool = True,
        on_failure: OnFailure | str = OnFailure.RETRY,
        attempts: int = 3,
        backoff: float = 1.0,
        max_backoff: float = 60.0,
        timeout: float | None = None,
    ) -> Callable[[B], B]:
        """Register a coroutine function `(branch, mail)` as a behaviour.

        With `record` (the default) a message has joined the history before the behaviour runs. A mail at which it fails
        is tried again, `attempts` times in all, `backoff` seconds after the first time and then twice as long each
        time, up to `max_backoff`; meanwhile later mail of the same sender waits and other mail goes on. `on_failure`
        says what then: "retry" makes it a dead letter, "halt" pauses the branch with the mail in its place, and "skip"
        makes it a dead letter at once. `timeout` is how many seconds one attempt may take. Raises ConfigError.
        """
        self._new(self.behaviours, name, "behaviour")
        policy = RetryPolicy(on_failure, attempts, backoff, max_backoff, timeout)

        def register(function: B) -> B:
            self.behaviours[name] = Behaviour(name, function, record, policy)
            return function

        return register

    def resolve_tool(self, name: str) -> Tool:
        """Return the tool of that name; raises ToolUnknown."""
        if name not in self.tools:
            raise ToolUnknown(f"No tool {name!r} is registered here; registered are: {_listed(self.tools)}.")
        return self.tools[name]

    def name_of(self, tool: Tool) -> str | None:
        """Return the name under which a tool's function is registered, if it is."""
        return next((name for name, one in self.tools.items() if one.func_callable is tool.func_callable), None)

    def resolve_model(self, name: str) -> iModel:
        """Return the model of that name; raises ItemNotFoundError."""
        if name not in self.models:
            raise ItemNotFoundError(f"No model {name!r} is registered here; registered are: {_listed(self.models)}.")
        return self.models[name]

    def resolve_behaviour(self, name: str) -> Behaviour:
        """Return the behaviour of that name, one of the package's own if no other has it; raises BehaviourUnknown."""
        if name in BUILT_IN and name not in self.behaviours:
            function, record = BUILT_IN[name]
            return Behaviour(name, function, record)
        if name not in self.behaviours:
            raise BehaviourUnknown(
                f"No behaviour {name!r} is registered here; registered are: {_listed(self.behaviours)}."
            )
        return self.behaviours[name]

    @property
    def behaviour_names(self) -> tuple[str, ...]:
        """What branches here may do with mail, by name: what is registered, and what every registry has."""
        return tuple(sorted({*self.behaviours, *BUILT_IN}))

    @staticmethod
    def _new(known: dict[str, Any], name: str, kind: str) -> None:
        if not name:
            raise ConfigError(f"A {kind} needs a name.")
        if name in known:
            raise ConfigError(f"A {kind} named {name!r} is registered already; register this one by another name.")

    def __repr__(self) -> str:
        tools, models = counted(len(self.tools), "tool"), counted(len(self.models), "model")
        return f"Registry({tools}, {models}, {counted(len(self.behaviours), 'behaviour')})"


def _listed(names: dict[str, Any]) -> str:
    return ", ".join(sorted(names)) or "none"
