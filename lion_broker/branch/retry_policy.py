"""What is done about a mail that fails: tried again later, given up, or waited for. Pure decisions."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from lion_broker.core.numbers import is_amount
from lion_broker.errors import ConfigError

__all__ = ["DEFAULT_RETRY_POLICY", "OnFailure", "RetryPolicy"]

_MOST_DOUBLINGS: Final = 60


class OnFailure(StrEnum):
    """What a behaviour wants done with a mail at which it fails."""

    RETRY = "retry"  # tried again later, then a dead letter; later mail of its sender waits, others go on
    SKIP = "skip"  # a dead letter at once
    HALT = "halt"  # tried again later, then the branch is paused with the mail in its place


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often, how soon and how long a mail is tried.

    The pause before attempt n + 1 is `backoff * 2 ** (n - 1)` seconds, at most `max_backoff`, less up to half of it at
    random. `timeout` is how many seconds one attempt may take. Raises ConfigError for what cannot be meant.
    """

    on_failure: OnFailure | str = OnFailure.RETRY
    attempts: int = 3
    backoff: float = 1.0
    max_backoff: float = 60.0
    timeout: float | None = None

    def __post_init__(self) -> None:
        if self.on_failure not in list(OnFailure):
            raise ConfigError(f"on_failure is {self.on_failure!r:.80}; it is {', '.join(OnFailure)}.")
        object.__setattr__(self, "on_failure", OnFailure(self.on_failure))
        if type(self.attempts) is not int or self.attempts < 1:
            raise ConfigError(f"attempts is {self.attempts!r:.80}; a behaviour needs at least one.")
        for name in ("backoff", "max_backoff"):
            if not is_amount(getattr(self, name)):
                raise ConfigError(f"{name} is {getattr(self, name)!r:.80}; it is a number of seconds from 0 on.")
        if self.timeout is not None and not (is_amount(self.timeout) and self.timeout > 0):
            raise ConfigError(f"timeout is {self.timeout!r:.80}; it is a number of seconds above 0, or None.")

    def tries_again(self, attempts: int) -> bool:
        """Whether a mail is tried once more after so many attempts."""
        return self.on_failure is not OnFailure.SKIP and attempts < self.attempts

    def pause_ms(self, attempts: int, chance: float | None = None) -> int:
        """Milliseconds until the next attempt after so many; `chance` in [0, 1) stands for the random part."""
        whole = min(self.max_backoff, self.backoff * 2.0 ** min(attempts - 1, _MOST_DOUBLINGS))
        # Jitter keeps mails that failed together from failing together again.
        part = random.random() if chance is None else chance  # noqa: S311 - no secret
        return math.ceil(whole * (1.0 - part / 2) * 1000)


DEFAULT_RETRY_POLICY: Final = RetryPolicy()
