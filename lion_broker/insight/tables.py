"""Mail and happenings as rows for frames: the columns, their types, and what stands in them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from .views import Happening, Lanes

__all__ = ["HAPPENING_COLUMNS", "MAIL_COLUMNS", "happening_rows", "mail_rows"]

MAIL_COLUMNS: Final[dict[str, type]] = {
    "mail": str,
    "sender": str,
    "recipient": str,
    "category": str,
    "state": str,
    "text": str,
    "sent": datetime,
    "delivered": datetime,
    "begun": datetime,
    "applied": datetime,
    "attempts": int,
    "owner": str,
    "reason": str,
    "in_reply_to": str,
    "sender_id": str,
    "recipient_id": str,
}
HAPPENING_COLUMNS: Final[dict[str, type]] = {
    "id": str,
    "at": datetime,
    "kind": str,
    "branch": str,
    "mail": str,
    "category": str,
    "sender": str,
    "recipient": str,
    "text": str,
    "owner": str,
    "error": str,
    "attempt": int,
    "detail": str,
}


def mail_rows(lanes: Lanes) -> list[tuple[Any, ...]]:
    """Return a row a mail; sender and recipient go by name where they have one."""
    names = lanes.names
    return [
        (
            one.mail,
            names.get(one.sender, one.sender),
            names.get(one.recipient, one.recipient),
            one.category,
            one.state,
            one.text,
            one.sent,
            one.delivered,
            one.begun,
            one.applied,
            one.attempts,
            one.owner,
            one.reason,
            one.in_reply_to or "",
            one.sender,
            one.recipient,
        )
        for one in lanes.passages
    ]


def happening_rows(found: list[Happening]) -> list[tuple[Any, ...]]:
    """Return a row a happening; branches go by id."""
    return [tuple(getattr(one, name) for name in HAPPENING_COLUMNS) for one in found]
