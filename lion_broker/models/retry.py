"""Whether and when a failed call of a model is made again: a pure decision, and the count of attempts around it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from lion_broker.errors import ModelError
from lion_broker.models.failure import Failure, public_error
from lion_broker.telemetry import logger

__all__ = ["Attempts", "Patience", "pause_before_next"]

log = logger("models")

_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 30.0
# Callers that were told the same time should not all come back at once.
_SPREAD: Final = 0.1


@dataclass(frozen=True)
class Patience:
    """How long a call of a model may take, in seconds.

    `timeout` is for the whole call with all its attempts and pauses; of a stream, the time that the server takes counts
    and not that of its reader. `connect_timeout` is for a connection, `read_timeout` for the beginning of the answer
    and each further part of it, `idle_timeout` for each further part of a stream, if it is shorter. A failed call is
    made again at most `max_retries` times.
    """

    timeout: float = 300.0
    connect_timeout: float = 10.0
    read_timeout: float = 180.0
    idle_timeout: float = 60.0
    max_retries: int = 4


def pause_before_next(failure: Failure, attempt: int, left: float, most: int, chance: float) -> float | None:
    """Return how many seconds to wait before the next attempt; None when there is to be none.

    `attempt` counts from 1, `left` is the time until the deadline, `chance` is between 0 and 1. A pause that the server
    asks for is kept; otherwise it is exponential with full jitter:
    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """
    if not failure.passes or attempt > most:
        return None
    if failure.retry_after is not None:
        pause = failure.retry_after * (1 + _SPREAD * chance)
    else:
        pause = chance * min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** (attempt - 1))
    return pause if pause < left else None


class Attempts:
    """The attempts of one call, counted, with the time that is left for them."""

    def __init__(self, where: str, patience: Patience, clock: Callable[[], float] = time.monotonic) -> None:
        self._where = where
        self._patience = patience
        self._clock = clock
        self._deadline = clock() + patience.timeout
        self.number = 1

    @property
    def left(self) -> float:
        """The seconds until the deadline, at least 0."""
        return max(0.0, self._deadline - self._clock())

    def pause_after(self, failure: Failure) -> float | None:
        """Count a failed attempt, and return the pause before the next one; None when this was the last."""
        most = self._patience.max_retries
        pause = pause_before_next(failure, self.number, self.left, most, random.random())  # noqa: S311 - no secret
        if pause is not None:
            log.info("%s %s; again in %.2f s", self._where, failure.text, pause)
            self.number += 1
        return pause

    def error(self, failure: Failure) -> ModelError:
        """Return the error to raise when no attempt is left. Raise it outside the `except` block of what failed."""
        return public_error(failure, self._where, self.number, self._patience.max_retries + 1)
