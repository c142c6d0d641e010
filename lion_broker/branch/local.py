"""A branch of this process as data: edited, merged, written down and read back; `Branch` adds what it does."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from lion_broker.errors import ConfigError
from lion_broker.mail.exchange import Steps, arun, run
from lion_broker.models.imodel import iModel
from lion_broker.models.manager import iModelManager
from lion_broker.telemetry.agent_spans import agent, agent_pieces
from lion_broker.tools.manager import ActionManager
from lion_broker.tools.tool import Tool

from .base import BaseBranch
from .editing import apply_edit
from .merging import unite
from .registry import Registry
from .snapshot import PARTS, dress, messages_in, parts_of
from .transcript import read_messages

if TYPE_CHECKING:
    from .host import Host

__all__ = ["LocalBranch"]


class LocalBranch(BaseBranch):
    """What can be done with a branch of this process as data."""

    if TYPE_CHECKING:
        _host: Host | None

    def _acting(self) -> AbstractContextManager[None]:
        """Return what is to be entered while the branch does an operation."""
        return agent(self.id, self.name or "", self._host.context.session if self._host is not None else "")

    def _speaking(self, pieces: AsyncGenerator[str]) -> AsyncGenerator[str]:
        """Return what the branch streams, with a span where somebody wants one."""
        session = self._host.context.session if self._host is not None else ""
        return agent_pieces(pieces, self.id, self.name or "", session)

    @property
    @abstractmethod
    def acts(self) -> ActionManager:
        """The tools and their calls."""

    @property
    @abstractmethod
    def mdls(self) -> iModelManager:
        """The models."""

    @property
    @abstractmethod
    def tools(self) -> dict[str, Tool]:
        """The tools by name."""

    @property
    def has_tools(self) -> bool:
        """Whether there are any tools."""
        return bool(self.tools)

    @property
    def model_names(self) -> dict[str, str]:
        """The models by their use: the name under which each is registered, or `provider/model`."""
        return {slot: str(model.metadata.get("ref") or model.name) for slot, model in self.mdls.registry.items()}

    @abstractmethod
    def register_tools(self, tools: Any, update: bool = False) -> None:
        """Give the branch tools."""

    @abstractmethod
    def register_model(self, model: iModel | None, slot: str = "chat") -> None:
        """Use a model."""

    def delete_tools(self, tools: Any) -> bool:
        """Take tools away, named by name, function or Tool, one or a list; returns whether all of them were there.

        In a session that is stored with the next commit, like every change.
        """
        asked = list(tools) if isinstance(tools, list | tuple | set | frozenset) else [tools]
        names = [self._tool_name(tool) for tool in asked]
        for name in dict.fromkeys(name for name in names if name is not None):
            if self.acts.registry.pop(name, None) or self.acts.absent.pop(name, None) is not None:
                self._forgot_tool(name)
        return None not in names

    async def adelete_tools(self, tools: Any) -> bool:
        """Do `delete_tools`; the twin that a RemoteBranch has as well."""
        return self.delete_tools(tools)

    def merge_branch(self, other: Any, update: bool = True) -> None:
        """Take in the messages, tools and models of another branch, which stays as it is.

        Messages are copied, united in order of creation, none twice. Tools and models of the same name are replaced
        with `update`, else kept. Of a RemoteBranch only the messages come, in a blocking round trip; `Session.merge`
        brings its tools too. Raises ValueError for the branch itself and for what is no branch.
        """
        if not isinstance(other, BaseBranch) or other.id == self.id:
            raise ConfigError(f"{self.name or self.id} merges with another branch, not with {other!r:.80}.")
        if isinstance(other, LocalBranch):
            unite(self, other.id, other.msgs, other.tools, other.mdls.registry, update)
        else:
            unite(self, other.id, other.msgs, {}, {}, update)

    def to_dict(self) -> dict[str, Any]:
        """Return everything that the branch holds as plain JSON values, for `from_dict`; the branch stays as it is.

        Beside its fields: `messages progression system logs tools models mailbox`. Tools are named, with their
        registered name or their schema, never with code; models have their settings, never a key.
        """
        return super().to_dict() | parts_of(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], /, tools: Any = None, registry: Registry | None = None) -> Self:
        """Return the branch that `to_dict` wrote, alone and with the same id; nothing is imported for it.

        Tools are found in `tools` (functions, Tools or a list) and by name in `registry`; what is missing is
        remembered as such, and calling it says so. `values` is not changed. Raises ValueError for unknown fields and,
        naming the part and the item, for values that do not fit.
        """
        return cls._named_in(values)._dressed(dict(values), tools, registry)

    @classmethod
    def _revive(cls, values: dict[str, Any]) -> Self:
        return cls._dressed(values, None, None)

    @classmethod
    def _dressed(cls, values: dict[str, Any], tools: Any, registry: Registry | None) -> Self:
        fields = {name: value for name, value in values.items() if name not in PARTS}
        if odd := fields.keys() - cls.model_fields.keys():
            raise ConfigError(f"A {cls.__name__} has no field {', '.join(sorted(map(str, odd)))}.")
        branch = cls._made_of({**fields, "messages": messages_in(values)})
        dress(branch, {name: values[name] for name in PARTS & values.keys()}, tools, registry)
        return branch

    @classmethod
    def from_csv(cls, filepath: str | Path, **fields: Any) -> Self:
        """Return a new branch with the messages of a file that `to_csv_file` wrote, flagged as loaded.

        Further keywords as for the class. Raises ConfigError, naming the file and the row, for what is no such file.
        """
        return cls._made_of({**fields, "messages": read_messages(filepath, ".csv")})

    @classmethod
    def from_json(cls, filepath: str | Path, **fields: Any) -> Self:
        """Return a new branch with the messages of a file that `to_json_file` wrote; see `from_csv`."""
        return cls._made_of({**fields, "messages": read_messages(filepath, ".json")})

    @classmethod
    def from_jsonl(cls, filepath: str | Path, **fields: Any) -> Self:
        """Return a new branch with the messages of a file that `to_jsonl_file` wrote; see `from_csv`."""
        return cls._made_of({**fields, "messages": read_messages(filepath, ".jsonl")})

    def _edit_steps(self, name: str, **arguments: Any) -> Steps[Any]:
        yield from ()
        return apply_edit(self.msgs, name, arguments)

    def _edit(self, steps: Steps[Any]) -> Any:
        return run(None, steps)

    async def _aedit(self, steps: Steps[Any]) -> Any:
        async with self.messages:
            return await arun(None, steps)

    def _tool_name(self, tool: Any) -> str | None:
        """The name under which the branch has a tool, or None."""
        if isinstance(tool, str):
            return tool if tool in self.tools or tool in self.acts.absent else None
        return next((name for name, one in self.tools.items() if tool in (one, one.func_callable)), None)

    def _forgot_tool(self, name: str) -> None:
        if self._host is not None:
            self._host.note_tool_gone(name)
