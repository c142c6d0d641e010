"""What a branch begins with, as records; and what a log says of tools and models, as live objects again."""

from __future__ import annotations

from typing import Any

from lion_broker.core.portable import to_portable
from lion_broker.errors import LionError
from lion_broker.mail.records import Record
from lion_broker.messages import RoledMessage
from lion_broker.models.imodel import iModel
from lion_broker.telemetry import logger
from lion_broker.tools.tool import Tool

from .branch import Branch
from .items import encode_model, encode_tool, local_model_ref
from .journal import Chronicle, Kind, record_of
from .registry import Registry

__all__ = ["equip", "first_records", "message_records", "model_record", "tool_record"]

log = logger("branch")


def first_records(branch: Branch, with_messages: bool = True) -> tuple[Record, ...]:
    """Return the records of everything that a branch of this process has, or of all but its messages."""
    records = message_records(branch.messages) if with_messages else []
    records += [_local_tool(tool) for tool in branch.tools.values()]
    records += [_local_model(slot, model) for slot, model in branch.mdls.registry.items()]
    records += [record_of(Kind.LOG, log=entry.to_dict()) for entry in branch.logs]
    return tuple(records)


def message_records(messages: Any) -> list[Record]:
    """Return the records of messages, in order."""
    return [
        record_of(Kind.MESSAGE, message=message.to_dict()) for message in messages if isinstance(message, RoledMessage)
    ]


def tool_record(tool: Any) -> Record:
    """Return the record of a tool for a branch on workers; raises NotPortable for a plain function."""
    ref = encode_tool(tool, None)
    return record_of(Kind.TOOL, name=ref["ref"], **ref)


def model_record(slot: str, model: Any) -> Record:
    """Return the record of a model for a branch on workers: by registered name, or by its settings."""
    if isinstance(model, str) and "/" in model:
        model = iModel(model=model)
    return record_of(Kind.MODEL, slot=slot, **to_portable(encode_model(model, None)))


def equip(branch: Branch, chronicle: Chronicle, registry: Registry) -> None:
    """Give a branch the tools and models that its log names.

    What is not registered here is left out with a warning; a call of such a tool says so again.
    """
    for name, ref in chronicle.tools.items():
        if name in branch.tools:
            continue
        if "ref" not in ref:
            log.warning("branch %s: the tool %s was a function of another process; register it again", branch.id, name)
            branch.acts.absent[name] = {}
            continue
        try:
            branch.acts.register_tool(registry.resolve_tool(ref["ref"]))
        except LionError as error:
            log.warning("branch %s: %s", branch.id, error)
            branch.acts.absent[name] = {"ref": ref["ref"]}
    for slot, ref in chronicle.models.items():
        if "local" in ref:
            log.warning("branch %s: the model %s was an object of another process; register it again", branch.id, slot)
            branch.mdls.absent[slot] = "It was an object of another process; register it again."
            continue
        try:
            model = _found_model(ref, registry)
        except (LionError, ValueError, TypeError) as error:
            log.warning("branch %s: the model for %s is missing: %s", branch.id, slot, error)
            branch.mdls.absent[slot] = str(error)
            continue
        branch.mdls.register_imodel(slot, model)


def _found_model(ref: dict[str, Any], registry: Registry) -> iModel:
    if "ref" in ref:
        return registry.resolve_model(ref["ref"])
    return registry.received_model(ref.get("settings", {}))


def _local_tool(tool: Tool) -> Record:
    ref = tool.metadata.get("ref")
    return record_of(Kind.TOOL, name=tool.function, **({"ref": ref} if ref else {"local": True}))


def _local_model(slot: str, model: iModel) -> Record:
    return record_of(Kind.MODEL, slot=slot, **to_portable(local_model_ref(model)))
