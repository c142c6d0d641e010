"""What the branches of one session in one process share: the exchange, who is there, what can be done."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from typing import TypeVar

from anyio import CancelScope, to_thread

from lion_broker.core.ids import IDType
from lion_broker.errors import BranchOwned
from lion_broker.mail.exchange import Exchange, Steps, arun, run

from .batch import Batches, Holder
from .directory import Directory
from .items import LocalObjects
from .registry import Registry

__all__ = ["SessionContext"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SessionContext:
    """What the branches of one session in one process share."""

    exchange: Exchange
    session: IDType
    directory: Directory
    registry: Registry
    owner: str
    objects: LocalObjects | None = None
    lease_ms: int = 10_000
    batches: Batches = field(default_factory=Batches)
    running: dict[str, CancelScope] = field(default_factory=dict)
    """The commands that are being done, by the id of their mail."""
    lock: threading.RLock = field(default_factory=threading.RLock)
    process: int = field(default_factory=os.getpid)

    def entered(self) -> threading.RLock:
        """Return the lock for what takes a moment and asks nobody. Raises BranchOwned in a forked process."""
        self._check_process()
        return self.lock

    def run(self, steps: Steps[T]) -> T:
        """Run a program over the exchange, blocking; threads take turns. Raises BranchOwned in a forked process."""
        self._check_process()
        return run(self.exchange, steps, self.lock)

    async def arun(self, steps: Steps[T]) -> T:
        """Run a program over the exchange without blocking the event loop; see `run`."""
        self._check_process()
        return await arun(self.exchange, steps, self.lock)

    def send_on(self, holder: Holder) -> None:
        """Send what somebody holds back in a batch as far as there are full pieces of it; blocks while many are going.

        Raises nothing: what was refused, or could not go, is told when the batch ends.
        """
        self.batches.send_on(self.exchange, holder)

    async def asend_on(self, holder: Holder) -> None:
        """Do the same without blocking the event loop."""
        if self.batches.takes_more:
            await to_thread.run_sync(self.send_on, holder)

    def _check_process(self) -> None:
        if os.getpid() != self.process:
            raise BranchOwned(
                f"The session {self.session} is open in the process {self.process}, from which this one was forked, and"
                " its branches live there. Here it can be opened anew: Session.open(id)."
            )
