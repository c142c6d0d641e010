"""What people do with a namespace, kept where other people find it."""

from __future__ import annotations

from lion_broker.core.lean import lean
from lion_broker.mail.records import AuditEntry

from .verb import Verb

__all__ = ["AUDIT_KEPT", "ReadAudit", "WriteAudit"]

AUDIT_KEPT = 10_000
"""How many of the newest entries are kept at least; about two megabytes."""


@lean(frozen=True, slots=True)
class WriteAudit(Verb[str]):
    """Write down that `who` did `what` to `target`, such as a session or pool; returns the entry's id.

    `detail` is for people. An entry with the `nonce` of one of the newest hundred is that one, and its id the answer.
    """

    who: str
    what: str
    target: str
    nonce: str
    detail: str = ""


@lean(frozen=True, slots=True)
class ReadAudit(Verb[tuple[AuditEntry, ...]]):
    """Read up to `count` entries, the newest first; with `before` only those before the entry with that id."""

    before: str = ""
    count: int = 100
