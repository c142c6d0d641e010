"""A branch that this worker does not have, as its log says: read in one trip, or together with its claim."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Final

from pydantic_core import from_json

from lion_broker.branch.branch import Branch
from lion_broker.branch.contents import equip
from lion_broker.branch.host import Host
from lion_broker.branch.journal import first_page
from lion_broker.branch.ledger import Ledger
from lion_broker.branch.session_context import SessionContext
from lion_broker.core.ids import IDType
from lion_broker.mail.exchange import arun
from lion_broker.mail.verbs import ReadBranches, Station, Verb

__all__ = ["Foresight", "loaded", "reads"]

_SESSIONS_KNOWN: Final = 512


class Foresight:
    """Tells whether a branch is to be read with its claim: where the last one of its session was needed.

    Others have mail that is only written down, and nobody looks at what was read for it.
    """

    def __init__(self) -> None:
        self._sessions: OrderedDict[str, None] = OrderedDict()

    def __contains__(self, session: str) -> bool:
        return session in self._sessions

    def note(self, session: str, *, needed: bool) -> None:
        """Note that a branch of a session was needed, or was not."""
        self._sessions.pop(session, None)
        if needed:
            self._sessions[session] = None
            if len(self._sessions) > _SESSIONS_KNOWN:
                self._sessions.popitem(last=False)


def reads(session: str, branch: str) -> tuple[Verb[Any], Verb[Any]]:
    """Return what is asked for a branch: who it is, and the beginning of its log."""
    return ReadBranches(session, (branch,)), first_page(session, branch)


async def loaded(
    context: SessionContext, station: Station, pool: str, version: int, answers: Sequence[Any] = ()
) -> Host:
    """Return the host of a branch that was claimed at a `version`, with all that its log says.

    `answers` are those to `reads`, if they came with the claim. Raises ItemNotFoundError for a branch that is no more.
    """
    exchange = context.exchange
    if not answers:
        # A branch that is new has no log.
        who, log = reads(station.session, station.branch)
        answers = await exchange.acall_all([who, log] if version else [who])
    records = answers[0]
    record = records[0] if records else await arun(exchange, context.directory.record_steps(station.branch))
    branch = Branch(
        id=IDType(station.branch),
        name=record.seed.name or None,
        user=record.seed.fields.get("user"),
        metadata=from_json(record.seed.fields.get("metadata", "{}")),
    )
    host = Host(branch, context, token=station.token, pool=pool)
    host.attach()
    page = answers[1] if len(answers) > 1 else ()
    equip(branch, await arun(exchange, host.load_steps(page)), context.registry)
    host.ledger = Ledger(exchange, host.station, context.lease_ms)
    return host
