"""Who has typed a command, and what it changes, written into the audit beside what is done from the pages."""

from __future__ import annotations

from collections.abc import Sequence
from getpass import getuser
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from lion_broker.mail.exchange import Exchange

__all__ = ["listed", "note", "who"]

_NAMED: Final = 20


def who() -> str:
    """Return who has typed the command, as far as the system knows."""
    try:
        return f"{getuser()} (command line)"
    except (ImportError, KeyError, OSError):
        return "the command line"


def listed(ids: Sequence[str]) -> str:
    """Return how many there are, and the first of them, as an entry of the audit has them."""
    return f"{len(ids)}: {', '.join(ids[:_NAMED])}{' …' if len(ids) > _NAMED else ''}"


def note(exchange: Exchange, what: str, target: str, detail: str = "") -> None:
    """Write down what a command is about to change; before it does, so that nothing is done unseen."""
    from lion_broker.core.ids import IDType
    from lion_broker.mail.verbs import WriteAudit

    exchange.call(WriteAudit(who(), what, target, nonce=IDType.create(), detail=detail))
