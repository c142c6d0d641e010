"""How a worker's report is written down, and read by programs of other versions."""

from __future__ import annotations

from dataclasses import fields
from functools import cache

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json, to_json

from lion_broker.mail.deployment import Order, WorkerReport

__all__ = ["order_of", "read_report", "written_report"]


def written_report(report: WorkerReport) -> bytes:
    """Return a report as JSON."""
    return to_json(report)


def read_report(text: bytes) -> WorkerReport | None:
    """Return the report that JSON holds; None for what is none, while fields of later versions are passed over."""
    try:
        found = from_json(text)
        known = {field.name for field in fields(WorkerReport)}
        return _adapter().validate_python({name: value for name, value in found.items() if name in known})
    except (AttributeError, ValueError, ValidationError):
        return None


def order_of(word: bytes) -> Order:
    """Return the order that a word means; one of a later version is none that this program could follow."""
    text = word.decode("utf-8", "replace")
    return Order(text) if text in set(Order) else Order.NONE


@cache
def _adapter() -> TypeAdapter[WorkerReport]:
    return TypeAdapter(WorkerReport)
