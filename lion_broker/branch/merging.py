"""Uniting two branches in one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from lion_broker.core.ids import IDType
from lion_broker.messages import MessageManager, RoledMessage
from lion_broker.models.imodel import iModel
from lion_broker.tools.tool import Tool

if TYPE_CHECKING:
    from .local import LocalBranch

__all__ = ["unite"]


def unite(
    target: LocalBranch,
    source: IDType,
    said: MessageManager,
    tools: Mapping[str, Tool],
    models: Mapping[str, iModel],
    update: bool = False,
) -> None:
    """Give a branch of this process the messages, tools and models of another, which stays as it is.

    Messages are copied, united in order of creation, and none comes twice, not even as a clone. The target's system
    message stays at the head; without one it gets a clone of the source's. Tools and models of names that the target
    has are kept, or with `update` replaced.
    """
    system = said.system
    here = {one for message in target.messages for one in (message.id, _origin(message))}
    new = [message for message in said.messages if message is not system]
    new = [message for message in new if here.isdisjoint((message.id, _origin(message)))]
    if system is not None and target.system is None:
        target.msgs.set_system(system.clone(sender=source, recipient=target.id))
    target.messages.include([message.model_copy(deep=True) for message in new])
    head = target.system
    ordered = sorted(target.messages, key=lambda one: (one is not head, one.created_at, one.id))
    target.messages.progression = [message.id for message in ordered]
    known = {} if update else target.tools
    target.register_tools([tool for name, tool in tools.items() if name not in known], update=True)
    for slot, model in models.items():
        if update or slot not in target.mdls.registry:
            target.register_model(model, slot)


def _origin(message: RoledMessage) -> str:
    """The id of the message that this one is a clone of, else its own."""
    return str(message.metadata.get("clone_from", {}).get("original_id", message.id))
