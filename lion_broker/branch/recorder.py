"""Writes down what is changed on a branch, as records that wait for a commit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lion_broker.core.log import Log
from lion_broker.core.pile_change import PileChange
from lion_broker.messages import RoledMessage
from lion_broker.tools.tool import Tool

from .draft import Draft
from .items import encode_model, local_model_ref
from .journal import Kind, change_records, record_of
from .session_context import SessionContext
from .turns import Turns

if TYPE_CHECKING:
    from lion_broker.models.imodel import iModel

    from .branch import Branch

__all__ = ["Recorder"]


class Recorder:
    """Observes one branch of `pool` (empty: of this process); what it writes down is in a draft."""

    def __init__(self, branch: Branch, context: SessionContext, pool: str) -> None:
        self.branch = branch
        self.context = context
        self.pool = pool
        self.turns = Turns(needed=bool(pool))
        self._draft = Draft()
        self._silent = False

    @contextmanager
    def silence(self) -> Iterator[None]:
        """Within this, changes of the branch are not recorded: they come from its log, or are recorded otherwise."""
        before, self._silent = self._silent, True
        try:
            yield
        finally:
            self._silent = before

    def note_tool(self, tool: Tool) -> None:
        """Record that the branch has a tool: by its registered name, or as a function of this process."""
        ref = tool.metadata.get("ref") or self.context.registry.name_of(tool)
        where = {"ref": ref} if ref else {"local": True}
        if self._records_changes():
            self._draft.records.append(record_of(Kind.TOOL, name=tool.function, **where))

    def note_tool_gone(self, name: str) -> None:
        """Record that the branch has a tool no longer."""
        if self._records_changes():
            self._draft.records.append(record_of(Kind.TOOL, name=name, gone=True))

    def note_model(self, slot: str, model: iModel) -> None:
        """Record that the branch uses a model: by its registered name, or by its settings without any key.

        Raises NotPortable for a model that is an object of this process, on a branch that any worker may host.
        """
        where = encode_model(model, None) if self.pool else local_model_ref(model)
        if self._records_changes():
            self._draft.records.append(record_of(Kind.MODEL, slot=slot, **where))

    def _records_changes(self) -> bool:
        """Whether a change of the branch is to be recorded now; raises BranchError after the turn that made it."""
        if not self._silent:
            self.turns.check(self.branch.name or self.branch.id)
        return not self._silent

    def _on_messages(self, change: PileChange[RoledMessage]) -> None:
        if self._records_changes():
            self._draft.records += change_records(change)

    def _on_logs(self, change: PileChange[Log]) -> None:
        if self._records_changes():
            self._draft.records += [record_of(Kind.LOG, log=entry.to_dict()) for entry in change.items]
