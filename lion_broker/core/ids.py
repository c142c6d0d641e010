"""Ids: canonical UUID text that sorts by time of creation."""

import os
import re
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias
from uuid import UUID

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from lion_broker.core.concepts import Collective, Observable, Ordering
from lion_broker.errors import ConfigError, IDError

__all__ = ["ID", "IDType", "to_list_type", "validate_order"]

if sys.version_info >= (3, 14):
    from uuid import uuid7

    def _text() -> str:
        return str(uuid7())

else:
    _COUNTER_BITS = 42
    _NOISE_BYTES = 9
    _MOST_AT_FIRST = (1 << _COUNTER_BITS - 1) - 1
    _MOST = (1 << _COUNTER_BITS) - 1
    _LOW = (1 << 30) - 1
    _NOISE = (1 << 32) - 1
    _VARIANT = 2 << 62

    def _noises() -> Iterator[int]:
        """Yield random numbers of 72 bits, many of them for one question to the system."""
        while True:
            drawn = os.urandom(_NOISE_BYTES * 256)
            for at in range(0, len(drawn), _NOISE_BYTES):
                yield int.from_bytes(drawn[at : at + _NOISE_BYTES], "big")

    def _uuid7_source() -> Callable[[], str]:
        """Return a generator of version 7 UUIDs, as texts, that are strictly increasing in this process.

        Layout as in RFC 9562, method 1: 48 bits of milliseconds, a 42-bit counter around version and
        variant, 32 random bits. The counter starts anew, at random, with every millisecond.
        """
        lock = threading.Lock()
        last_ms = counter = 0
        noises = _noises()
        # What all ids of a millisecond begin with, as a rule: written once.
        begins = (0, 0, "")

        def begin_anew() -> None:
            # Or a forked process would make the ids that its parent makes.
            nonlocal noises
            noises = _noises()

        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=begin_anew)

        def new() -> str:
            nonlocal last_ms, counter, begins
            now = time.time_ns() // 1_000_000
            with lock:
                noise = next(noises)
                if now > last_ms:
                    # One bit stays clear, so that the counter has room to count up.
                    last_ms, counter = now, noise >> 32 & _MOST_AT_FIRST
                elif counter < _MOST:
                    counter += 1
                else:
                    last_ms, counter = last_ms + 1, 0
                ms, count = last_ms, counter
            known_ms, high, begin = begins
            if ms != known_ms or count >> 30 != high:
                high, digits = count >> 30, f"{ms:012x}"
                begin = f"{digits[:8]}-{digits[8:]}-7{high:03x}-"
                begins = (ms, high, begin)
            rest = f"{_VARIANT | (count & _LOW) << 32 | noise & _NOISE:016x}"
            return f"{begin}{rest[:4]}-{rest[4:]}"

        return new

    _text = _uuid7_source()


_PLAIN: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""Text that is canonical as it is: nearly every id that is looked at."""


def _canonical(text: str) -> str | None:
    """Return lower-case UUID text with hyphens, or None when `text` is no UUID."""
    digits = text.replace("-", "")
    if len(digits) != 32:
        return None
    try:
        raw = bytes.fromhex(digits)
    except ValueError:
        return None
    if len(raw) != 16:  # fromhex skips blanks
        return None
    if len(text) == 36 and text[8] == text[13] == text[18] == text[23] == "-":
        return text.lower()
    return str(UUID(bytes=raw)) if len(text) == 32 else None


class IDType(str):
    """The id of an element: canonical lower-case UUID text, and so JSON as it is.

    Make one with `create` or `validate`; the plain constructor does not look at its text.
    """

    __slots__ = ()

    @classmethod
    def create(cls) -> "IDType":
        """Return a new id (UUID version 7) that sorts after all ids made before in this process."""
        return cls(_text())

    @classmethod
    def validate(cls, value: object, /) -> "IDType":
        """Return `value` as an id; any UUID version is kept as it is.

        Takes an IDType, a UUID, or text of 32 hexadecimal digits with or without the usual hyphens.
        Raises IDError for anything else.
        """
        if type(value) is cls:
            return value
        if type(value) is str and _PLAIN.fullmatch(value):
            return cls(value)
        text = _canonical(value) if isinstance(value, str) else str(value) if isinstance(value, UUID) else None
        if text is None:
            raise IDError(f"{value!r:.80} is no id. Give a UUID or its text, such as '{UUID(int=0)}'.")
        return cls(text)

    def __repr__(self) -> str:
        return f"IDType('{self}')"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls.validate, serialization=core_schema.to_string_ser_schema()
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "string", "format": "uuid"}


class ID:
    """The types that a reference to an element may have, and two questions about them."""

    ID: TypeAlias = IDType
    Item: TypeAlias = Observable
    Ref: TypeAlias = IDType | UUID | str | Observable
    IDSeq: TypeAlias = Sequence[IDType] | Ordering[Any]
    ItemSeq: TypeAlias = Sequence[Observable] | Collective[Any]
    RefSeq: TypeAlias = Ref | Collection[Any] | Ordering[Any] | Collective[Any]

    @staticmethod
    def get_id(item: object, /) -> IDType:
        """Return the id of an element, or `item` itself as an id.

        Raises IDError for a text that is no id, ValueError for any other object.
        """
        if isinstance(item, str | UUID):
            return IDType.validate(item)
        if isinstance(item, Observable):
            return item.id
        raise ConfigError(f"What is of type {type(item).__name__} has no id. Give an element or an id.")

    @staticmethod
    def is_id(item: object, /) -> bool:
        """Return whether `item` is an id or the text of one; an element is not."""
        if isinstance(item, IDType | UUID):
            return True
        return isinstance(item, str) and _canonical(item) is not None


def validate_order(refs: Any, /) -> list[IDType]:
    """Return the ids that `refs` stands for, flat and in order.

    `refs` is an element, an id, a mapping (its keys), or a nested list, tuple or set of these; None stands
    for nothing.
    A Pile or Progression stands for what it holds, but inside a list for itself, like any element.
    Raises IDError for a text that is no id, ValueError for other objects.
    """
    if isinstance(refs, Collective | Ordering):
        return [ID.get_id(ref) for ref in _members(refs)]
    order: list[IDType] = []
    _flatten(refs, order)
    return order


def _flatten(refs: Any, order: list[IDType]) -> None:
    if refs is None:
        return
    if type(refs) is IDType:
        order.append(refs)
    elif isinstance(refs, str | Observable):
        order.append(ID.get_id(refs))
    elif isinstance(refs, Mapping):
        order.extend(map(ID.get_id, refs))
    elif isinstance(refs, Iterable):
        for ref in refs:
            _flatten(ref, order)
    else:
        order.append(ID.get_id(refs))


def to_list_type(value: Any, /) -> list[Any]:
    """Return `value` as a list: None is empty, the text of an id is one IDType, a single object is itself.

    A Pile or Progression gives what it holds, a mapping its values, any other iterable its items.
    Raises IDError for a text that is no id.
    """
    if value is None:
        return []
    if isinstance(value, str | UUID):
        return [IDType.validate(value)]
    if isinstance(value, Collective | Ordering):
        return list(_members(value))
    if isinstance(value, Observable):
        return [value]
    if isinstance(value, Mapping):
        return list(value.values())
    return list(value) if isinstance(value, Iterable) else [value]


def _members(group: Any) -> Iterable[Any]:
    members: Iterable[Any] = iter(group)
    return members
