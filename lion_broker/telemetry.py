"""The names under which the package logs; one logger a package, nothing is configured here."""

from __future__ import annotations

import logging
from typing import Final

__all__ = ["LOGGER", "logger"]

LOGGER: Final = "lion_broker"


def logger(part: str) -> logging.Logger:
    """Return the logger of a part of the package, for example `lion_broker.worker`."""
    return logging.getLogger(f"{LOGGER}.{part}")
