"""Who has typed a command, and what it changes, written into the audit beside what is done from the pages."""

from __future__ import annotations

from getpass import getuser
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lion_broker.mail.exchange import Exchange

__all__ = ["note", "who"]


def who() -> str:
    """Return who has typed the command, as far as the system knows."""
    try:
        return f"{getuser()} (command line)"
    except (ImportError, KeyError, OSError):
        return "the command line"


def note(exchange: Exchange, what: str, target: str, detail: str = "") -> None:
    """Write down what a command is about to change; before it does, so that nothing is done unseen."""
    from lion_broker.core.ids import IDType
    from lion_broker.mail.verbs import WriteAudit

    exchange.call(WriteAudit(who(), what, target, nonce=IDType.create(), detail=detail))
