"""When a mail is to be delivered, and until when it is worth taking up."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Self

from lion_broker.core.numbers import is_amount
from lion_broker.errors import ConfigError

__all__ = ["AT_ONCE", "Timing"]

_LONGEST: Final = 10 * 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Timing:
    """The delay and the time to live of a mail: both in seconds, checked by `of`."""

    delay: float = 0.0
    ttl: float | None = None

    @classmethod
    def of(cls, delay: float | None, ttl: float | None) -> Self:
        """Return the timing that somebody asks for; raises ConfigError for what is no number of seconds."""
        if delay is ttl is None:
            return cls()
        for name, value in (("delay", delay), ("ttl", ttl)):
            if value is not None and not is_amount(value, _LONGEST):
                raise ConfigError(f"{name} is {value!r:.80}; it is a number of seconds, at most ten years of them.")
        if ttl == 0:
            raise ConfigError("ttl is 0: the mail would always be too late.")
        return cls(delay or 0.0, None if ttl is None else float(ttl))

    @property
    def delay_ms(self) -> int:
        """The delay in milliseconds."""
        return math.ceil(self.delay * 1000)


AT_ONCE: Final = Timing()
