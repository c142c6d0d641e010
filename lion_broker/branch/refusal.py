"""Why a mail cannot be applied: the reason code of a dead letter, and a line in the log."""

from __future__ import annotations

import re
from typing import Final

from pydantic_core import from_json

from lion_broker.errors import (
    ItemNotFoundError,
    LeaseLost,
    MailboxFull,
    MailMalformed,
    MailTooLarge,
    SignatureInvalid,
    ToolUnknown,
)
from lion_broker.mail.records import Claimed, Dispatched, Rejected
from lion_broker.telemetry import logger

__all__ = ["REPEATED", "lease_lost", "mailbox_full", "reason_of", "warn_rejected"]

log = logger("branch")

REPEATED: Final = "A mail with this id waits already, or has taken effect before."
_SHOWN_ID: Final = re.compile(r"[A-Za-z0-9_.-]{1,128}")

_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (ToolUnknown, "unknown_tool"),
    (ItemNotFoundError, "unknown_model"),
    (SignatureInvalid, "bad_signature"),
    (MailTooLarge, "too_large"),
    (MailMalformed, "malformed"),
)


def reason_of(error: Exception) -> str:
    """Return the code for an error met while reading or applying a mail."""
    return next((reason for kind, reason in _REASONS if isinstance(error, kind)), "not_applied")


def lease_lost(branch: str, answer: Claimed | Dispatched) -> LeaseLost:
    """Return the error for a commit that was refused because the branch is another's."""
    return LeaseLost(
        f"The branch {branch} is hosted elsewhere now ({answer.outcome}, version {answer.version}); what was not"
        " committed here is void. Open the session again to go on."
    )


def mailbox_full(branch: str) -> MailboxFull:
    """Return the error for mail that found no room."""
    return MailboxFull(f"The mailbox of {branch} is full; the mail to it was not posted. Send it again later.")


def warn_rejected(branch: str, entry: str, rejected: Rejected) -> None:
    """Log that an entry was no acceptable mail: reason, and the id that it claims; never what it says."""
    mail = _claimed_id(rejected) or f"in entry {entry}"
    log.warning("branch %s: the mail %s becomes a dead letter: %s", branch, mail, rejected.reason)


def _claimed_id(rejected: Rejected) -> str:
    """The id in the header, if there is one that may be shown: anybody may have written the bytes."""
    try:
        header = from_json(rejected.fields.get("h", b""))
    except ValueError:
        return ""
    claimed = header.get("id") if isinstance(header, dict) else None
    return claimed if isinstance(claimed, str) and _SHOWN_ID.fullmatch(claimed) else ""
