"""JSON as it may come from anybody: read strictly, and no further than makes sense."""

from __future__ import annotations

import json
import math
from typing import Any, Final

from pydantic_core import from_json, to_json

from lion_broker.errors import MailMalformed

__all__ = ["MAX_DEPTH", "MAX_MAIL_BYTES", "check_depth", "read_json"]

MAX_MAIL_BYTES: Final = 256 * 1024
"""What a mail may have in a stream, header and body together."""
MAX_DEPTH: Final = 32


def read_json(raw: bytes, what: str, most: int = MAX_MAIL_BYTES) -> Any:
    """Return the JSON value of `raw`: no duplicate keys, no NaN, depth at most 32; raises MailMalformed."""
    if len(raw) > most:
        raise MailMalformed(f"The {what} has {len(raw):,} bytes; at most {most:,} are read.")
    check_depth(raw, what)
    try:
        value = from_json(raw, allow_inf_nan=False)
    except ValueError as error:
        raise MailMalformed(f"The {what} is no strict JSON: {error}") from error
    if to_json(value) != raw:
        _read_slowly(raw, what)
    return value


def _read_slowly(raw: bytes, what: str) -> None:
    """Refuse duplicate keys and numbers that are none; other spellings of the same value are fine."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise MailMalformed(f"The {what} names a key twice.")
        return found

    def refuse(text: str) -> float:
        raise MailMalformed(f"The {what} holds {text}, which is no JSON number.")

    def finite(text: str) -> float:
        number = float(text)
        return number if math.isfinite(number) else refuse(text)

    try:
        json.loads(raw, object_pairs_hook=unique, parse_constant=refuse, parse_float=finite)
    except (ValueError, RecursionError) as error:
        raise error if isinstance(error, MailMalformed) else MailMalformed(f"The {what} is no JSON: {error}") from error


def check_depth(raw: bytes, what: str) -> None:
    """Raise MailMalformed for JSON that is nested too deep."""
    # Most bodies hold a text or two, which is seen at once; to count takes longer.
    if (b"[" in raw or raw.find(b"{", 1) > 0) and raw.count(b"{") + raw.count(b"[") > MAX_DEPTH:
        _measure(raw, what)


def _measure(raw: bytes, what: str) -> None:
    depth, inside, escaped = 0, False, False
    for byte in raw:
        if escaped:
            escaped = False
        elif inside:
            escaped, inside = byte == 0x5C, byte != 0x22
        elif byte == 0x22:
            inside = True
        elif byte in b"[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise MailMalformed(f"The {what} is nested deeper than {MAX_DEPTH} levels.")
        elif byte in b"]}":
            depth -= 1
