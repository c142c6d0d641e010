"""What spans and metrics of mail say of the exchange, the session and the mailbox."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from .names import SYSTEM, TEMPLATE

__all__ = [
    "MOST_LINKS",
    "Mailboxes",
    "of_mail",
    "of_mailbox",
    "of_metrics",
    "of_owner",
    "of_session",
    "of_worker",
]

MOST_LINKS: Final = 8
"""Links of one span; a batch may come from more traces, and each link costs a quarter of what a mail does."""
_GROUP: Final = "workers"


class Mailboxes(Protocol):
    """What is to be known of an exchange: where it is, and the key of a branch's mailbox."""

    url: str

    def mailbox(self, session: str, branch: str) -> str:
        """Return the key."""


def of_session(exchange: Mailboxes, session: str, operation: str, kind: str) -> dict[str, Any]:
    """The attributes of an operation on the mail of a session; the caller may add to them."""
    return {**_of_operation(exchange.url, str(session), operation, kind)}


def of_mail(exchange: Mailboxes, session: str, recipient: str, mail: str) -> dict[str, str]:
    """The attributes of a single mail that is sent."""
    return {"messaging.destination.name": exchange.mailbox(session, recipient), "messaging.message.id": str(mail)}


def of_mailbox(exchange: Mailboxes, session: str, branch: str) -> dict[str, str]:
    """The attributes of who receives from a mailbox."""
    return {
        "messaging.destination.name": exchange.mailbox(session, branch),
        "messaging.consumer.group.name": _GROUP,
    }


def of_worker(exchange: Mailboxes, session: str, branch: str, owner: str, operation: str, kind: str) -> dict[str, Any]:
    """The attributes of what the worker `owner` does with a branch's mail; the caller may add to them."""
    return {
        **_of_operation(exchange.url, str(session), operation, kind),
        **of_mailbox(exchange, session, branch),
        "messaging.client.id": owner,
    }


def of_owner(exchange: Mailboxes, session: str, owner: str, operation: str, kind: str) -> dict[str, Any]:
    """The attributes of what the worker `owner` does with the mail of several branches; the caller may add to them."""
    return {
        **_of_operation(exchange.url, str(session), operation, kind),
        "messaging.consumer.group.name": _GROUP,
        "messaging.client.id": owner,
    }


@lru_cache(maxsize=8)
def of_metrics(operation: str) -> dict[str, str]:
    """The attributes of an operation's metrics, not to be changed."""
    return {
        "messaging.system": SYSTEM,
        "messaging.operation.name": operation,
        "messaging.destination.template": TEMPLATE,
    }


@lru_cache(maxsize=256)
def _of_operation(url: str, session: str, operation: str, kind: str) -> Mapping[str, Any]:
    parts = urlsplit(url)
    known: dict[str, Any] = {"messaging.system": SYSTEM, "messaging.destination.template": TEMPLATE}
    if parts.hostname and parts.scheme in ("redis", "rediss"):
        known |= {"server.address": parts.hostname, "server.port": parts.port or 6379}
    elif parts.path:
        known["server.address"] = parts.path
    return known | {
        "messaging.operation.name": operation,
        "messaging.operation.type": kind,
        "messaging.message.conversation_id": session,
        "session.id": session,
    }
