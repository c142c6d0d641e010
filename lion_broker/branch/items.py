"""What a mail's item is as JSON, and back: data and names, never code.

Between branches of one process a plain function or a live model travels as a reference into that process's own table of
objects, which means nothing anywhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MethodType
from typing import Any

from lion_broker.core.concepts import Communicatable
from lion_broker.core.element import Element
from lion_broker.core.ids import ID, IDType
from lion_broker.core.node import Node
from lion_broker.core.pile import Pile
from lion_broker.core.portable import to_portable
from lion_broker.errors import ItemNotFoundError, MailMalformed, NotPortable, ToolUnknown
from lion_broker.mail.package import PackageCategory
from lion_broker.mail.wire import encode_json
from lion_broker.messages import Instruction, RoledMessage
from lion_broker.messages.written import TextItem, WrittenItem, message_of, text_item, written_item
from lion_broker.models.imodel import iModel
from lion_broker.tools.tool import Tool

from .registry import Registry

__all__ = [
    "LocalObjects",
    "decode_item",
    "encode_item",
    "encode_model",
    "encode_tool",
    "find_model",
    "local_model_ref",
    "unread_item",
]


class LocalObjects:
    """Functions and models of this process that are referred to by mail between its own branches.

    An object is kept for good, since mail that refers to it may be read again, but once, however often it is sent.
    """

    def __init__(self) -> None:
        self.id = IDType.create()
        self._objects: dict[str, Any] = {}
        self._names: dict[tuple[int, ...], str] = {}

    def refer(self, item: Any) -> dict[str, str]:
        """Keep an object and return the reference to it, the same for the same object."""
        # A method is made anew whenever somebody looks at it. What is kept here leaves its number to nobody else.
        same = (id(item.__self__), id(item.__func__)) if isinstance(item, MethodType) else (id(item),)
        name = self._names.setdefault(same, f"{self.id}/{len(self._objects)}")
        self._objects.setdefault(name, item)
        return {"local": name}

    def find(self, name: str) -> Any:
        """Return the object of a reference; None when it is of another process or another life of this one."""
        return self._objects.get(name)


def encode_item(
    category: PackageCategory, item: Any, request_source: Any, pool: str, objects: LocalObjects | None
) -> bytes:
    """Return the body of a mail to a branch of `pool` (empty: a branch of this process, if `objects` are given).

    Raises NotPortable for an item that cannot go there, with what to do instead; ValueError for one that does not fit
    its category; MailTooLarge.
    """
    local = objects if not pool else None
    value = _ENCODERS.get(category, _encode_value)(item, local)
    body = {"item": value}
    if request_source is not None:
        # A branch or session stands for its id: what it holds is not asked for.
        named = isinstance(request_source, Communicatable)
        body["source"] = str(request_source.id) if named else to_portable(request_source, what="The request source")
    return encode_json(body, f"The {category} item")


def decode_item(
    category: PackageCategory, value: Any, registry: Registry, objects: LocalObjects | None, mail: str, created: float
) -> tuple[Any, Any]:
    """Return item and request source of a mail's body; `mail` is its id, `created` its time.

    Tools and models are looked up in `registry`, references of this process in `objects`. Raises ToolUnknown,
    ItemNotFoundError for unknown names, MailMalformed for a body that does not fit its category.
    """
    if not isinstance(value, dict) or "item" not in value:
        raise MailMalformed("The body holds no item.")
    item = value["item"]
    if category == PackageCategory.TOOL:
        return [_find_tool(ref, registry, objects) for ref in _list_of_dicts(item)], value.get("source")
    if category == PackageCategory.IMODEL:
        return find_model(item, registry, objects), value.get("source")
    try:
        if category == PackageCategory.MESSAGE:
            return _message(item, mail, created), value.get("source")
        if category == PackageCategory.NODE:
            return Node.from_dict(item), value.get("source")
        if category == PackageCategory.NODE_LIST:
            return [Node.from_dict(one) for one in _list_of_dicts(item)], value.get("source")
    except (ValueError, TypeError, KeyError) as error:
        raise MailMalformed(f"The item is no {category}: {error}") from error
    return item, value.get("source")


def unread_item(
    category: PackageCategory, value: Any, body: bytes, mail: str, created: float
) -> TextItem | WrittenItem | None:
    """Return what a message mail's body says, which need not become a message yet; None for anything else.

    `value` is the JSON value of `body`.
    """
    if category is not PackageCategory.MESSAGE or type(value) is not dict:
        return None
    item = value.get("item")
    if type(item) is str:
        return text_item(item, IDType(mail), created) if item else None
    return written_item(item, body, IDType(mail), created)


def _message(item: Any, mail: str, created: float) -> RoledMessage:
    if type(item) is str and item:
        return message_of(Instruction.dict_of(item, mail, created))
    if not isinstance(item, dict) or not isinstance(item.get("metadata"), dict):
        return RoledMessage.from_dict(item, loaded=False)
    # The message takes what it is made of; the body may be read once more.
    return message_of({**item, "metadata": {**item["metadata"]}})


def _encode_message(item: Any, objects: LocalObjects | None) -> Any:
    if isinstance(item, str) and item:
        # As it is: it becomes an Instruction, with the mail's id and time, where it arrives.
        return str(item)
    if not isinstance(item, RoledMessage):
        if item == "":
            raise ValueError("A message mail carries a message or a text, not an empty text.")
        raise ValueError(
            f"A message mail carries a message or a text, not {type(item).__name__}. Send data as a text (json.dumps),"
            " or with the category 'signal' to a behaviour."
        )
    return item.to_dict()


def _encode_tools(item: Any, objects: LocalObjects | None) -> Any:
    tools = list(item) if isinstance(item, (list, tuple, set, frozenset)) else [item]
    if not tools:
        raise ValueError("A tool mail carries at least one tool, as a function, a Tool or a registered name.")
    return [encode_tool(tool, objects) for tool in tools]


def encode_tool(tool: Any, objects: LocalObjects | None) -> dict[str, str]:
    """Return the reference to a tool; raises NotPortable for a function that would have to leave this process."""
    if isinstance(tool, str) and tool:
        return {"ref": tool}
    if not isinstance(tool, Tool):
        if not isinstance(tool, Callable):  # type: ignore[arg-type]  # the ABC is meant
            raise ValueError(f"A tool mail carries tools, functions or registered names, not {type(tool).__name__}.")
        if objects is None:
            raise NotPortable(_how_to_register(getattr(tool, "__name__", "the function")))
    if objects is not None:
        return {"name": Tool.of(tool).function, **objects.refer(tool)}
    if ref := tool.metadata.get("ref"):
        return {"ref": ref}
    raise NotPortable(_how_to_register(tool.function))


def _how_to_register(name: str) -> str:
    return (
        f"{name} is a function of this process and cannot travel to a worker. Register it where workers start"
        " (@registry.tool in the module that `lion-broker worker --app` names) and send its name as text."
    )


def encode_model(item: Any, objects: LocalObjects | None) -> dict[str, Any]:
    """Return the reference to a model, or its settings without any key."""
    if isinstance(item, str) and item:
        return {"ref": item}
    if not isinstance(item, iModel):
        raise ValueError(f"An imodel mail carries an iModel or a registered name, not {type(item).__name__}.")
    if objects is not None:
        return {"name": item.name, **objects.refer(item)}
    if ref := item.metadata.get("ref"):
        return {"ref": ref}
    return {"settings": item.settings()}


def local_model_ref(model: iModel) -> dict[str, Any]:
    """Return what the log of a branch of this process says of a model; an object of the process has only its name."""
    try:
        return encode_model(model, None)
    except NotPortable:
        return {"name": model.name, "local": True}


def _encode_node(item: Any, objects: LocalObjects | None) -> Any:
    if not isinstance(item, Node):
        raise ValueError(f"A node mail carries a Node, not {type(item).__name__}: Node(content=…) holds any data.")
    return item.to_dict()


def _encode_nodes(item: Any, objects: LocalObjects | None) -> Any:
    nodes = list(item) if isinstance(item, (list, tuple, set, frozenset, Pile)) else [item]
    return [_encode_node(node, objects) for node in nodes]


def _encode_node_id(item: Any, objects: LocalObjects | None) -> Any:
    return str(ID.get_id(item))


def _encode_value(item: Any, objects: LocalObjects | None) -> Any:
    return item.to_dict() if isinstance(item, Element) else to_portable(item, what="The item")


_ENCODERS: dict[PackageCategory, Callable[[Any, LocalObjects | None], Any]] = {
    PackageCategory.MESSAGE: _encode_message,
    PackageCategory.TOOL: _encode_tools,
    PackageCategory.IMODEL: encode_model,
    PackageCategory.NODE: _encode_node,
    PackageCategory.NODE_LIST: _encode_nodes,
    PackageCategory.NODE_ID: _encode_node_id,
}


def _find_tool(ref: dict[str, Any], registry: Registry, objects: LocalObjects | None) -> Tool:
    if "local" in ref:
        tool = objects.find(str(ref["local"])) if objects else None
        if tool is None or isinstance(tool, iModel):
            raise ToolUnknown(
                f"The tool {ref.get('name', '')!r} is a function of another process; register it by name."
            )
        # Each mail brings a tool of its own where a plain function was sent.
        return Tool.of(tool)
    return registry.resolve_tool(str(ref.get("ref", "")))


def find_model(ref: Any, registry: Registry, objects: LocalObjects | None) -> iModel:
    """Return the model of a reference that `encode_model` made; raises ItemNotFoundError, MailMalformed."""
    if not isinstance(ref, dict):
        raise MailMalformed("The body of an imodel mail is no reference.")
    if "local" in ref:
        model = objects.find(str(ref["local"])) if objects else None
        if not isinstance(model, iModel):
            raise ItemNotFoundError(f"The model {ref.get('name', '')!r} lives in another process; register it by name.")
        return model
    if "settings" in ref:
        try:
            return registry.received_model(ref["settings"])
        except (ValueError, TypeError, KeyError) as error:
            raise MailMalformed(f"The settings make no model: {error}") from error
    return registry.resolve_model(str(ref.get("ref", "")))


def _list_of_dicts(item: Any) -> list[dict[str, Any]]:
    if not isinstance(item, list) or not all(isinstance(one, dict) for one in item):
        raise MailMalformed("The item is no list of objects.")
    return item
