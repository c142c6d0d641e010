"""A worker that its handlers keep busy."""

from __future__ import annotations

import time

from lion_broker import Branch, Mail, Registry

registry = Registry()


@registry.behaviour("compute", record=False)
async def compute(branch: Branch, mail: Mail) -> None:
    """Use five milliseconds of CPU."""
    until = time.thread_time() + 0.005
    while time.thread_time() < until:
        pass
