"""One thing that was looked at, how it is, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Finding", "Severity"]


class Severity(StrEnum):
    """How bad a finding is: `error` means that mail may be lost or programs cannot work."""

    OK = "ok"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"

    @property
    def is_bad(self) -> bool:
        """Whether somebody should do something about it."""
        return self in (Severity.WARNING, Severity.ERROR)


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found in one check: one sentence, and a command or setting that mends it, or nothing.

    `refused` says that programs do not work on such a server unless LION_BROKER_UNSAFE_SERVER allows it.
    """

    check: str
    severity: Severity
    text: str
    fix: str = ""
    refused: bool = False

    def __str__(self) -> str:
        """Return the sentence and what to do, to be read in a log or an error."""
        return f"{self.text} Fix: {self.fix}." if self.fix else self.text
