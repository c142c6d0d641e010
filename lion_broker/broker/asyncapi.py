"""The mail on the wire as an AsyncAPI 3 document, built from what the package itself reads and writes.

For whoever writes to a session, or reads along, in another language. See https://www.asyncapi.com/docs/reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, get_type_hints

from lion_broker.mail.package import PackageCategory
from lion_broker.mail.strict_json import MAX_DEPTH
from lion_broker.mail.wire import BLOB_BYTES, MAX_BAGGAGE, MAX_BODY_BYTES, MAX_MAIL_BYTES, WIRE_VERSION, Header

from .keys import Keys
from .library import PROTOCOL

__all__ = ["asyncapi_document", "header_schema"]

_ANY: Final[dict[str, Any]] = {}
_TEXT: Final = {"type": "string", "minLength": 1, "maxLength": 512}
_COUNT: Final = {"type": "integer", "minimum": 0, "maximum": 2**53 - 1}
_NUMBER: Final = {"type": "number", "minimum": 0}
_OF_TYPE: Final[Mapping[Any, dict[str, Any]]] = {str: _TEXT, int: _COUNT, float: _NUMBER}

_TOLD: Final = {
    "session": "The session's id.",
    "sender": "The id of the branch that sent it, or the session's own.",
    "recipient": "The id of the branch that it is for, or the session's own.",
    "category": "How the recipient applies it.",
    "id": "The mail's id; a copy of a mail that was taken before has no effect.",
    "created": "Seconds since the epoch by the sender's clock, for people.",
    "seq": "Reserved; 0.",
    "ttl": "Seconds that it may wait; later it becomes a dead letter.",
    "traceparent": "W3C trace context of the sender.",
    "tracestate": "W3C trace state of the sender.",
    "baggage": "W3C baggage of the sender.",
    "reply_to": "The client that waits for the answer to a command.",
    "in_reply_to": "The id of the mail that was being handled when this one was sent.",
    "blob": "SHA-256 of the body in hex, where the body travels as a blob.",
}
_REFERENCE: Final = {
    "type": "object",
    "description": "By its name in the registry of the worker, never as code.",
    "properties": {"ref": _TEXT, "name": _TEXT, "local": _TEXT},
    "minProperties": 1,
}
_NODE: Final = {"type": "object", "description": "A node as its to_dict() writes it."}
_ITEMS: Final[Mapping[PackageCategory, dict[str, Any]]] = {
    PackageCategory.MESSAGE: {
        "description": "A message as its to_dict() writes it; or a text, an Instruction with the mail's id and time.",
        "type": ["string", "object"],
        "minLength": 1,
        "required": ["role", "content"],
        "properties": {
            "id": _TEXT,
            "created_at": _NUMBER,
            "metadata": {"type": "object"},
            "role": {"type": "string"},
            "content": _ANY,
            "sender": {"type": "string"},
            "recipient": {"type": "string"},
        },
    },
    PackageCategory.TOOL: {"type": "array", "minItems": 1, "items": _REFERENCE},
    PackageCategory.IMODEL: {
        "type": "object",
        "description": "By name, or by settings without any key.",
        "properties": {**_REFERENCE["properties"], "settings": {"type": "object"}},  # type: ignore[dict-item]
        "minProperties": 1,
    },
    PackageCategory.NODE: _NODE,
    PackageCategory.NODE_LIST: {"type": "array", "items": _NODE},
    PackageCategory.NODE_ID: _TEXT,
    PackageCategory.COMMAND: {
        "type": "object",
        "required": ["op", "args"],
        "properties": {"op": _TEXT, "args": {"type": "object"}},
    },
}
_STATIONS: Final = {
    "mailbox": "Mail that workers handle now, in order. Read from the branch's cursor, never by a consumer group.",
    "inbox": "Mail that was delivered and waits to be received; and the mail of branches that live in a program.",
    "outbox": "Manual delivery: mail that was sent and waits to be collected. Entries name their recipient first (r).",
    "transit": "Manual delivery: mail that was collected and waits to be sent. Entries name their recipient first (r).",
}


def header_schema() -> dict[str, Any]:
    """Return what a header must be, as a JSON schema."""
    types = get_type_hints(Header)
    properties: dict[str, Any] = {"v": {"const": WIRE_VERSION}}
    required = ["v"]
    for name in Header._fields:
        kind = next(part for part in getattr(types[name], "__args__", (types[name],)) if part in _OF_TYPE)
        properties[name] = {**_OF_TYPE[kind], "description": _TOLD[name]}
        if Header._field_defaults.get(name, "") is not None:
            required.append(name)
    properties["category"]["enum"] = sorted(PackageCategory)
    properties["baggage"] |= {"maxLength": MAX_BAGGAGE}
    properties["blob"] |= {"pattern": "^[0-9a-f]{64}$"}
    return {"type": "object", "additionalProperties": False, "required": required, "properties": properties}


def asyncapi_document(namespace: str = "default", version: str = "") -> dict[str, Any]:
    """Return the document: channels are the streams, messages the categories of mail, operations send and receive."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "lion-broker mail",
            "version": version or f"{PROTOCOL}.{WIRE_VERSION}",
            "description": _INFO.format(
                inline=MAX_MAIL_BYTES, blob=BLOB_BYTES, most=MAX_BODY_BYTES, depth=MAX_DEPTH, protocol=PROTOCOL
            ),
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {"exchange": {"host": "localhost:6379", "protocol": "redis", "description": _SERVER}},
        "channels": {name: _channel(namespace, name, text) for name, text in _STATIONS.items()},
        "operations": _operations(),
        "components": {
            "schemas": {"header": header_schema()},
            "messages": {str(category): _message(category) for category in PackageCategory},
        },
    }


_INFO: Final = (
    "A mail is one entry of a Redis stream with the field m: a byte with the length of the signature, the signature,"
    " the header, a line feed, the body; x, behind it, names a blob. Header and body are strict JSON, the header on one"
    " line: no duplicate keys, no NaN, nested at most {depth} deep."
    " Both together have at most {inline} bytes; a body over {blob} bytes travels beside its mail, as the blob that x"
    " and the header name, and has at most {most}. The signature is `<key id>:<digest>`, HMAC-SHA256 over header, a"
    " line feed and body with a key derived for the session; what does not verify becomes a dead letter. Streams are"
    " written by the functions of protocol {protocol} only: a plain XADD delivers nothing, for it marks nobody ready."
)
_SERVER: Final = "Redis 7.0 or Valkey 7.2, or newer."


def _channel(namespace: str, station: str, text: str) -> dict[str, Any]:
    key = f"{Keys(namespace).session('SESSION')}:b:BRANCH:{station}"
    # A hash tag has braces of its own, which an address gives to its parameters.
    address = (
        key.replace(f"{{{namespace}:0}}", "{hashTag}").replace("SESSION", "{session}").replace("BRANCH", "{branch}")
    )
    return {
        "address": address,
        "description": text,
        "servers": [{"$ref": "#/servers/exchange"}],
        "parameters": {
            "hashTag": {
                "description": "`{NAMESPACE:PARTITION}` with its braces; the partition is crc32(session) % partitions.",
                "default": f"{{{namespace}:0}}",
            },
            "session": {"description": "The session's id."},
            "branch": {"description": "The id of the branch whose station it is."},
        },
        "messages": {str(category): {"$ref": f"#/components/messages/{category}"} for category in PackageCategory},
        "bindings": {"redis": {}},
    }


def _message(category: PackageCategory) -> dict[str, Any]:
    return {
        "name": str(category),
        "title": f"Mail of the category {category}",
        "contentType": "application/json",
        "correlationId": {"location": "$message.header#/in_reply_to"},
        "headers": {
            "allOf": [{"$ref": "#/components/schemas/header"}, {"properties": {"category": {"const": str(category)}}}]
        },
        "payload": {
            "type": "object",
            "required": ["item"],
            "properties": {"item": _ITEMS.get(category, _ANY), "source": {"description": "Who has asked for it."}},
        },
    }


def _operations() -> dict[str, Any]:
    def operation(action: str, station: str, summary: str) -> dict[str, Any]:
        messages = [{"$ref": f"#/channels/{station}/messages/{category}"} for category in PackageCategory]
        return {
            "action": action,
            "channel": {"$ref": f"#/channels/{station}"},
            "summary": summary,
            "messages": messages,
        }

    return {
        "post": operation("send", "mailbox", "Automatic delivery, and commands: mail for a branch on workers."),
        "postLocal": operation("send", "inbox", "Automatic delivery: mail for a branch that lives in a program."),
        "queue": operation("send", "outbox", "Manual delivery: mail waits for the session to collect it."),
        "claim": operation(
            "receive",
            "mailbox",
            "A worker takes the first mails of a branch that it owns; a single one comes with the ready entry.",
        ),
        "receive": operation("receive", "inbox", "A program applies the mail of a branch that it hosts."),
    }
