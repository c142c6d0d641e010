"""Why a mail cannot be applied, as the reason code of a dead letter."""

from __future__ import annotations

from lion_broker.errors import ItemNotFoundError, MailMalformed, MailTooLarge, SignatureInvalid, ToolUnknown

__all__ = ["reason_of"]

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
