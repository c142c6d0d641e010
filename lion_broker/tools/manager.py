"""ActionManager: the tools of a branch by name."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from lion_broker.core.concepts import Manager
from lion_broker.errors import ToolArgumentsInvalid, ToolExists, ToolUnknown
from lion_broker.messages.action import ActionRequest, ActionRequestModel
from lion_broker.tools.calling import FunctionCalling
from lion_broker.tools.tool import Tool

__all__ = ["ActionManager", "ToolRef"]

ToolRef: TypeAlias = Tool | Callable[..., Any] | str


class ActionManager(Manager):
    """Holds tools by name and makes calls of them; `ActionManager(search, Tool(name="add", func=add))`.

    `absent` are tools that the branch had elsewhere and that are missing here, by name with what is known of them
    (`ref`, `schema`); a call of one says so, and registering a tool of that name makes it a present one.
    """

    def __init__(self, *tools: Tool | Callable[..., Any] | list[Any]) -> None:
        self.registry: dict[str, Tool] = {}
        self.absent: dict[str, dict[str, Any]] = {}
        for tool in tools:
            self.register_tools(tool)

    def __contains__(self, tool: object) -> bool:
        """Tell whether a tool, function or name is registered; another tool of the same name is not."""
        if isinstance(tool, str):
            return tool in self.registry
        if isinstance(tool, Tool):
            return self.registry.get(tool.function) == tool
        return any(known.func_callable == tool for known in self.registry.values())

    def __len__(self) -> int:
        """Return how many tools there are."""
        return len(self.registry)

    def __repr__(self) -> str:
        return f"ActionManager({', '.join(self.registry) or 'no tools'})"

    def register_tool(self, tool: Tool | Callable[..., Any], update: bool = False) -> None:
        """Register a tool or function under its name.

        Raises ToolExists (also a ValueError) for a name that is taken, unless `update`; ToolError for
        something that is no tool.
        """
        made = Tool.of(tool)
        if made.function in self.registry and not update:
            raise ToolExists(
                f"Tool {made.function} is already registered. Register it with update=True, or under another"
                " name: Tool(name=…, func=…)."
            )
        self.registry[made.function] = made
        self.absent.pop(made.function, None)

    def register_tools(self, tools: Any, update: bool = False) -> None:
        """Register one tool or function, or each of a list of them; see `register_tool`."""
        for tool in _listed(tools):
            self.register_tool(tool, update=update)

    def match_tool(self, request: ActionRequest | ActionRequestModel | Mapping[str, Any]) -> FunctionCalling:
        """Return the call that a request asks for, not yet made.

        The request has `function` and `arguments`, as attributes or keys. Raises ToolUnknown (also a
        ValueError) for a name that is not registered, TypeError for something that is no request.
        """
        function, arguments = _asked(request)
        if not isinstance(arguments, Mapping):
            kind = type(arguments).__name__
            raise ToolArgumentsInvalid(f"the arguments of {function} must be an object, not {kind}")
        return FunctionCalling(func_tool=self._known(function), arguments=dict(arguments))

    async def invoke(self, request: ActionRequest | ActionRequestModel | Mapping[str, Any]) -> FunctionCalling:
        """Make the call that a request asks for and return it with its outcome; raises as `match_tool`."""
        calling = self.match_tool(request)
        await calling.invoke()
        return calling

    @property
    def schema_list(self) -> list[dict[str, Any]]:
        """The schemas of all tools, in the order of registration."""
        return [tool.tool_schema for tool in self.registry.values()]

    def get_tool_schema(
        self,
        tools: bool | ToolRef | Mapping[str, Any] | list[Any] | None = False,
        auto_register: bool = True,
        update: bool = False,
    ) -> dict[str, Any] | list[Any]:
        """Return `{"tools": [schemas]}` as model providers take it; an empty list when none are wanted.

        `tools`: True for all, a tool, function, name or ready schema, or a list of these. A function or tool
        that is not known yet is registered when `auto_register`. Raises ToolUnknown for an unknown name.
        """
        if tools is True:
            return {"tools": self.schema_list}
        if tools is False or tools is None:
            return []
        return {"tools": [self._schema(tool, auto_register, update) for tool in _listed(tools)]}

    def _schema(self, tool: Any, auto_register: bool, update: bool) -> dict[str, Any]:
        if isinstance(tool, Mapping):
            return dict(tool)
        if isinstance(tool, str):
            return self._known(tool).tool_schema
        same = (known for known in self.registry.values() if known.func_callable == tool)
        made = next(same, None) or Tool.of(tool)
        if auto_register and (made not in self or update):
            self.register_tool(made, update=update)
        return made.tool_schema

    def _known(self, name: str) -> Tool:
        if name in self.absent:
            raise ToolUnknown(
                f"Function {name} is missing here: it was a tool of this branch in another process. Register it again."
            )
        if name not in self.registry:
            known = ", ".join(self.registry) or "none"
            raise ToolUnknown(f"Function {name} is not registered. Registered are: {known}.")
        return self.registry[name]


def _listed(tools: Any) -> Iterator[Any]:
    yield from tools if isinstance(tools, list | tuple | set | frozenset) else (tools,)


def _asked(request: Any) -> tuple[str, Any]:
    """Return function and arguments of a request in any of its forms."""
    if isinstance(request, Mapping) and isinstance(request.get("function"), str):
        return request["function"], request.get("arguments") or {}
    if isinstance(getattr(request, "function", None), str) and hasattr(request, "arguments"):
        return request.function, request.arguments or {}
    raise TypeError(f"A request names a function and its arguments; {type(request).__name__} does not.")
