"""A branch of this process as plain values, and back: everything it holds but code and keys.

parts, beside the fields of the element itself
    messages     all messages, in order
    progression  the ids of those that a model gets to read, when these are not all of them in that order
    system       the id of the system message
    logs         the branch's own log
    tools        by name: {name, ref} when registered, else {name, schema}; the function is to be brought again
    models       by use: {settings}, never with a key, and {ref} when registered; {object} for one that is an object of
                 its process, which is to be given again
    mailbox      pending mail: {in, out}; an item that cannot be written is named by its type only
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pydantic_core import from_json

from lion_broker.core.element import Element
from lion_broker.core.log import Log
from lion_broker.errors import ConfigError, ItemNotFoundError, LionError, MailError, ToolUnknown
from lion_broker.mail.mail import Mail, as_json_value
from lion_broker.mail.package import Package, PackageCategory
from lion_broker.messages import RoledMessage
from lion_broker.models.imodel import iModel
from lion_broker.tools.tool import Tool

from .items import decode_item, encode_item
from .registry import Registry

if TYPE_CHECKING:
    from .local import LocalBranch

__all__ = ["PARTS", "dress", "messages_in", "parts_of"]

T = TypeVar("T")

PARTS: Final = frozenset({"messages", "progression", "system", "logs", "tools", "models", "mailbox"})


def parts_of(branch: LocalBranch) -> dict[str, Any]:
    """Return the parts of a branch as plain JSON values; the branch stays as it is."""
    messages, view = branch.messages.values(), branch.msgs.progression.order
    parts: dict[str, Any] = {
        "messages": [message.to_dict() for message in messages],
        "progression": None if view == [one.id for one in messages] else [str(one) for one in view],
        "system": None if branch.system is None else str(branch.system.id),
        "logs": [entry.to_dict() for entry in branch.logs],
        "tools": _tools_of(branch),
        "models": {slot: _model_of(model) for slot, model in branch.mdls.registry.items()},
    }
    senders = branch.mailbox.senders
    incoming = [mail for sender in senders for mail in branch.mailbox.incoming(sender)]
    parts["mailbox"] = {
        "in": [_mail_of(mail) for mail in incoming],
        "out": [_mail_of(mail) for mail in branch.mailbox.outgoing()],
    }
    return parts


def messages_in(values: Mapping[str, Any]) -> list[RoledMessage]:
    """Return the messages of a snapshot, with the flags that were written."""
    messages = _each("message", values.get("messages"), lambda one: RoledMessage.from_dict(one, loaded=False))
    if len({message.id for message in messages}) < len(messages):
        raise ConfigError("Two messages of the branch have the same id.")
    return messages


def dress(branch: LocalBranch, parts: Mapping[str, Any], tools: Any, registry: Registry | None) -> None:
    """Give a branch that has its messages the other parts of a snapshot."""
    registry = registry if registry is not None else Registry()
    if parts.get("progression") is not None:
        branch.msgs.progression = parts["progression"]
    if parts.get("system") is not None:
        branch.msgs.system = parts["system"]
    branch.logs.include(_each("log entry", parts.get("logs"), Log.from_dict))
    if tools is not None:
        branch.register_tools(tools)
    for row in _each("tool", parts.get("tools"), _tool_row):
        _give_tool(branch, row, registry)
    for slot, row in _mapping("models", parts.get("models")).items():
        if (model := _read_model(slot, row, registry)) is not None:
            branch.mdls.register_imodel(slot, model)
    boxes = _mapping("mailbox", parts.get("mailbox"))
    for mail in _each("incoming mail", boxes.get("in"), lambda row: _read_mail(row, registry)):
        branch.mailbox.append_in(mail)
    for mail in _each("outgoing mail", boxes.get("out"), lambda row: _read_mail(row, registry)):
        branch.mailbox.append_out(mail)


def _tools_of(branch: LocalBranch) -> list[dict[str, Any]]:
    rows = {name: dict(known) for name, known in branch.acts.absent.items()}
    for name, tool in branch.tools.items():
        ref = tool.metadata.get("ref")
        rows[name] = {"ref": ref} if ref else {"schema": tool.tool_schema}
    return [{"name": name, **rows[name]} for name in sorted(rows)]


def _tool_row(row: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(row.get("name"), str) or row.keys() - {"name", "ref", "schema"}:
        raise ConfigError(f"a tool has a name, and a ref or a schema; not {', '.join(map(str, row))}")
    return dict(row)


def _give_tool(branch: LocalBranch, row: dict[str, Any], registry: Registry) -> None:
    """Register what the registry has under this name, and note what it has not; what was brought stays."""
    name = row.pop("name")
    if name in branch.tools:
        return
    found: Tool | None = registry.tools.get(row.get("ref") or name)
    if found is not None:
        branch.register_tools(found)
    else:
        branch.acts.absent[name] = row


def _model_of(model: iModel) -> dict[str, Any]:
    ref = model.metadata.get("ref")
    what = {"object": model.name} if model.is_object else {"settings": model.settings()}
    return {**what, **({"ref": ref} if ref else {})}


def _read_model(slot: str, row: Any, registry: Registry) -> iModel | None:
    if not isinstance(row, Mapping) or row.keys() - {"object", "ref", "settings"}:
        raise ConfigError(f"The model for {slot} is no object with settings, and perhaps a ref.")
    ref = row.get("ref")
    if ref in registry.models:
        return registry.models[ref]
    if "object" in row:
        return None
    try:
        model = iModel.from_dict(row.get("settings") or {})
    except TypeError as error:
        raise ConfigError(f"The settings for {slot} make no model: {error}.") from error
    if ref:
        model.metadata["ref"] = ref
    return model


def _mail_of(mail: Mail) -> dict[str, Any]:
    item, source = mail.package.item, mail.package.request_source
    try:
        # As to a worker: what depends on this process cannot be written.
        body = from_json(encode_item(mail.category, item, source, "elsewhere", None))
    except (MailError, ValueError, TypeError):
        many = item if isinstance(item, list | tuple) or mail.category != PackageCategory.TOOL else [item]
        body = {"item": as_json_value(many), "source": as_json_value(source)}
    return {**mail.to_dict(), "item": body["item"], "request_source": body.get("source")}


def _read_mail(row: Mapping[str, Any], registry: Registry) -> Mail:
    category = PackageCategory.validate(row["category"])
    try:
        item, _ = decode_item(category, {"item": row["item"]}, registry, None, row["id"], row["created_at"])
    except (ToolUnknown, ItemNotFoundError):
        # It stays what it was written as, and says what is missing when somebody wants to apply it.
        item = row["item"]
    fields = {name: row[name] for name in ("id", "created_at", "metadata", "sender", "recipient")}
    return Mail(**fields, package=Package(category, item, row.get("request_source")))


def _each(what: str, values: Any, read: Callable[[Any], T]) -> list[T]:
    """Read the items of a list, each an object; an error says which."""
    if not isinstance(values, Iterable | None) or isinstance(values, str | Mapping):
        raise ConfigError(f"The {what} part is no list, but {type(values).__name__}.")
    items: list[T] = []
    for number, value in enumerate(values or (), 1):
        if not isinstance(value, Mapping | Element):
            raise ConfigError(f"{what} {number} of the branch is no object, but {type(value).__name__}.")
        try:
            items.append(read(value))
        except (LionError, LookupError, TypeError, ValueError, RecursionError) as error:
            raise ConfigError(f"{what} {number} of the branch cannot be read: {error}") from error
    return items


def _mapping(what: str, values: Any) -> dict[str, Any]:
    if values is not None and not isinstance(values, Mapping):
        raise ConfigError(f"The {what} part is no object, but {type(values).__name__}.")
    return dict(values or {})
