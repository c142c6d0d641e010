"""What the package says about itself: log lines under one name, and the acts that a turn takes its time for."""

from __future__ import annotations

import logging
from typing import Final

__all__ = ["LOGGER", "logger"]

LOGGER: Final = "lion_broker"


def logger(part: str) -> logging.Logger:
    """Return the logger of a part of the package, for example `lion_broker.worker`; nothing is configured here."""
    return logging.getLogger(f"{LOGGER}.{part}")
