"""What the verbs of steps, of what is due, of sweeping and of withdrawing answer. All frozen."""

from __future__ import annotations

from dataclasses import field

from lion_broker.core.lean import lean

from .outcome import Outcome

__all__ = ["Promoted", "Stepped", "Swept", "Withdrawn"]


@lean(frozen=True, slots=True)
class Stepped:
    """Answer of `Step`: OK, ALREADY or FENCED, with the result that was recorded."""

    outcome: Outcome
    body: bytes = field(default=b"", repr=False)


@lean(frozen=True, slots=True)
class Promoted:
    """Answer of `Promote`: the exchange's time in ms, branches looked at, and the ms until the next, if any, is due."""

    now: int
    seen: int = 0
    next_ms: int | None = None


@lean(frozen=True, slots=True)
class Swept:
    """Answer of `Sweep`: ready entries looked at, dropped, and given to others."""

    seen: int = 0
    dropped: int = 0
    renewed: int = 0


@lean(frozen=True, slots=True)
class Withdrawn:
    """Answer of `Withdraw` for one mail: OK with the id of its dead letter, UNKNOWN, HELD or CLOSED."""

    outcome: Outcome
    letter: str = ""
