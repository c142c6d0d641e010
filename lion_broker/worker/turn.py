"""One turn of a branch: from the mails that were handed out to the commit that writes what they did.

The steps, in order: `plan` (may the mails be written down as they are, or is the branch needed?), `refuse` (what is
no mail, and what was handed out too often), `apply` (history, tools, models, commands, behaviour), `result` (one
Commit).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from lion_broker.branch.host import Host
from lion_broker.branch.intake import APPLIED, apply
from lion_broker.branch.journal import Kind
from lion_broker.branch.refusal import reason_of
from lion_broker.branch.registry import Behaviour
from lion_broker.errors import BranchError
from lion_broker.mail.package import PackageCategory
from lion_broker.mail.records import Burial, Entry, Record, Rejected
from lion_broker.mail.verbs import Commit
from lion_broker.mail.wire import WireMail
from lion_broker.messages import ActionRequest, ActionResponse, AssistantResponse, Instruction, System

from .commands import answer_command

__all__ = ["Turn", "can_be_written_down"]

_SLICE_SECONDS: Final = 0.05
_KINDS: Final = frozenset(
    kind.class_name() for kind in (System, Instruction, AssistantResponse, ActionRequest, ActionResponse)
)
ATTEMPTS: Final = 3
"""How often a mail without a behaviour of its own is tried."""


@dataclass(slots=True)
class Turn:
    """What one turn knows: the mails it holds, how far it is, and what it decided about each."""

    entries: list[Entry]
    attempts: int = 1
    done: int = 0
    handled: int = 0
    records: list[Record] = field(default_factory=list)
    aside: list[str] = field(default_factory=list)
    buried: list[Burial] = field(default_factory=list)
    failed: Exception | None = None

    @property
    def consumed(self) -> str:
        """The last mail that the turn is through with, or an empty text."""
        return self.entries[self.done - 1].id if self.done else ""

    @property
    def left(self) -> list[Entry]:
        """The mails that the turn holds and has not come to."""
        return self.entries[self.done :]


def can_be_written_down(entries: list[Entry]) -> bool:
    """Whether all entries are messages that only join the history, so that the branch itself is not needed."""
    return all(
        not isinstance(entry.mail, Rejected)
        and entry.mail.header.category == PackageCategory.MESSAGE
        and _is_message(entry.mail.item())
        for entry in entries
    )


def write_down(turn: Turn) -> None:
    """Take message mails into the history as the bytes that came."""
    for entry in turn.entries:
        mail = entry.mail
        if isinstance(mail, WireMail):
            turn.records.append(Record(Kind.MAIL, mail.body, mail.head))
    turn.done = turn.handled = len(turn.entries)


async def work_through(
    turn: Turn, host: Host, behaviour: Behaviour | None, begin: Callable[[str], Awaitable[int]]
) -> None:
    """Apply mails one after the other until all are done, a slice of time is used up, or one fails.

    What a failing mail did is undone, and the turn ends before it; `turn.failed` says why. `begin` counts another
    attempt at a mail.
    """
    most = behaviour.attempts if behaviour else ATTEMPTS
    until = time.monotonic() + _SLICE_SECONDS
    for entry in turn.left:
        if turn.done and time.monotonic() > until:
            return
        mail = entry.mail
        if isinstance(mail, Rejected):
            turn.buried.append(Burial(entry.id, mail.reason, mail.detail))
        elif turn.attempts > most:
            turn.buried.append(
                Burial(entry.id, "poison", f"Handed out {turn.attempts - 1} times without an end.", turn.attempts - 1)
            )
        elif (error := await _try(turn, host, behaviour, entry, mail)) is not None:
            if turn.done:
                return
            if turn.attempts < most:
                turn.attempts = await begin(entry.id)
                return
            turn.buried.append(Burial(entry.id, reason_of(error), f"{type(error).__name__}: {error}", turn.attempts))
            turn.failed = None
        turn.done += 1
        turn.attempts = 1


def result(turn: Turn, host: Host, batch: int, after: str) -> Commit:
    """Return the commit of the turn."""
    return host.commit_verb(
        consumed=turn.consumed,
        aside=tuple(turn.aside),
        buried=tuple(turn.buried),
        handled=turn.handled,
        after=after,
        batch=batch,
        first=tuple(turn.records),
    )


async def _try(turn: Turn, host: Host, behaviour: Behaviour | None, entry: Entry, wire: WireMail) -> Exception | None:
    """Apply one mail; returns the error when it failed, everything that it did undone but for the branch object."""
    mark = host.mark()
    try:
        category = PackageCategory(wire.header.category)
        if category == PackageCategory.COMMAND:
            await answer_command(host, wire)
            host.took_command(wire)
        elif category in APPLIED or behaviour is not None:
            await _apply(host, behaviour, wire, category)
        else:
            turn.aside.append(entry.id)
            return None
    except Exception as error:
        failed = error
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        # Something that the behaviour waited for was cancelled, not this turn.
        failed = BranchError("Something that the behaviour waited for was cancelled.")
    else:
        return None
    host.rollback(mark)
    turn.failed = failed
    return failed


async def _apply(host: Host, behaviour: Behaviour | None, wire: WireMail, category: PackageCategory) -> None:
    mail = host.read(wire)
    is_message = category == PackageCategory.MESSAGE
    if category in APPLIED and not (is_message and behaviour is not None and not behaviour.record):
        apply(host.branch, mail)
    host.took(mail, wire)
    if behaviour is not None and (is_message or category not in APPLIED):
        await behaviour.function(host.branch, mail)


def _is_message(body: object) -> bool:
    item = body.get("item") if isinstance(body, dict) else None
    metadata = item.get("metadata") if isinstance(item, dict) else None
    return isinstance(metadata, dict) and metadata.get("lion_class") in _KINDS
