"""What every page works with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from lion_broker.core.ids import IDType
from lion_broker.errors import ItemNotFoundError
from lion_broker.insight.metrics import NamespaceMetrics
from lion_broker.insight.prices import Prices
from lion_broker.mail.checks import is_id
from lion_broker.mail.exchange import Exchange, Steps, arun
from lion_broker.mail.records import SessionRecord
from lion_broker.mail.verbs import ListSessions, ReadSession, Verb, WriteAudit

from .access import Gate, Visitor
from .histories import Histories
from .live import Lives
from .pulse import Pulse

__all__ = ["Console", "console_of"]

_PAGE = 200


@dataclass(slots=True)
class Console:
    """The exchange that is looked at, who may, and what is being watched. With `read_only` nothing is changed."""

    exchange: Exchange
    namespace: str
    gate: Gate
    read_only: bool
    lives: Lives
    pulse: Pulse
    histories: Histories
    metrics: NamespaceMetrics
    prices: Prices

    def end(self) -> None:
        """Have every stream finish. May be called twice."""
        self.lives.end()
        self.histories.stop()
        self.pulse.changed.give()

    async def ask(self, steps: Steps[Any]) -> Any:
        """Run a program over the exchange without blocking the event loop."""
        return await arun(self.exchange, steps)

    async def session(self, session: str) -> SessionRecord:
        """Read a session; raises ItemNotFoundError."""
        record = await self.exchange.acall(ReadSession(session)) if is_id(session) else None
        if record is None:
            raise ItemNotFoundError(f"There is no session {session[:128]} here (any more).")
        return record

    async def session_ids(self) -> list[str]:
        """Read the ids of all sessions, newest first."""
        return list(reversed(await self.exchange.acall(ListSessions())))

    async def sessions(self, ids: Sequence[str]) -> list[SessionRecord]:
        """Read sessions, a round trip for two hundred; those that are gone meanwhile are left out."""
        found: list[SessionRecord | None] = []
        for first in range(0, len(ids), _PAGE):
            verbs: list[Verb[Any]] = [ReadSession(one) for one in ids[first : first + _PAGE]]
            found += await self.exchange.acall_all(verbs)
        return [record for record in found if record is not None]

    async def note(self, visitor: Visitor, what: str, target: str, detail: str = "") -> None:
        """Write down what a visitor does, for others to see; before it is done, so that nothing is done unseen."""
        await self.exchange.acall(WriteAudit(visitor.who, what, target, nonce=IDType.create(), detail=detail))


def console_of(request: Request) -> Console:
    """The console of the dashboard that a request came to."""
    console: Console = request.app.state.console
    return console
