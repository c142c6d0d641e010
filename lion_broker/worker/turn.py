"""One turn of a branch: from the mails that were handed out to the commit that writes what they did.

The steps, in order: `can_be_written_down` (as they are, or is the branch needed?), `work_through` (refuse what is no
mail or was handed out too often, apply the rest: history, tools, models, commands, behaviour), `result` (one Commit).
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Final

from lion_broker.branch.host import Host
from lion_broker.branch.intake import APPLIED, apply
from lion_broker.branch.journal import Kind
from lion_broker.branch.refusal import REPEATED, reason_of, warn_rejected
from lion_broker.branch.registry import Behaviour
from lion_broker.core.portable import readable
from lion_broker.errors import BehaviourUnknown, BranchError, BrokerUnavailable, LeaseLost, UnknownOutcome
from lion_broker.mail.mail import Mail
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


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a mail could not be applied: the error, and the reason code of the dead letter that it may become.

    After a `final` one the mail is not tried again.
    """

    error: Exception
    reason: str
    final: bool = False


@dataclass(slots=True)
class Turn:
    """What one turn knows: the mails it holds, how far it is, and what it decided about each.

    `attempts` counts how often the first of them has been handed out, this time included. A turn ends at a mail that
    failed; `again` says that the mail is to be tried once more.
    """

    entries: list[Entry]
    attempts: int = 1
    done: int = 0
    handled: int = 0
    records: list[Record] = field(default_factory=list)
    aside: list[str] = field(default_factory=list)
    buried: list[Burial] = field(default_factory=list)
    failed: Failure | None = None
    again: bool = False

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
    known = set()
    for entry in turn.entries:
        mail = entry.mail
        if isinstance(mail, WireMail) and mail.id not in known:
            known.add(mail.id)
            turn.records.append(Record(Kind.MAIL, mail.body, mail.head))
        else:
            turn.buried.append(Burial(entry.id, "duplicate", REPEATED))
    turn.done, turn.handled = len(turn.entries), len(known)


async def work_through(turn: Turn, host: Host, behaviour: Behaviour | None) -> None:
    """Apply mails one after the other until all are done, a slice of time is used up, or one fails.

    What a failing mail did is undone, but for the branch object: after a failure it is to be read anew.
    """
    most = behaviour.attempts if behaviour else ATTEMPTS
    until = time.monotonic() + _SLICE_SECONDS
    for entry in turn.left:
        if turn.done and time.monotonic() > until:
            return
        attempts = 1 if turn.done else turn.attempts
        if isinstance(entry.mail, Rejected):
            warn_rejected(host.branch.id, entry.id, entry.mail)
            turn.buried.append(Burial(entry.id, entry.mail.reason, entry.mail.detail))
        elif entry.mail.id in host.known:
            turn.buried.append(Burial(entry.id, "duplicate", REPEATED))
        elif attempts > most:
            detail = f"Handed out {attempts - 1} times without an end."
            turn.buried.append(Burial(entry.id, "poison", detail, attempts - 1))
        else:
            turn.failed = await _try(turn, host, behaviour, entry, entry.mail)
        if turn.failed is not None:
            turn.again = attempts < most and not turn.failed.final
            if not turn.again:
                turn.buried.append(_burial(entry, turn.failed, attempts))
                turn.done += 1
            return
        turn.done += 1


def _burial(entry: Entry, failure: Failure, attempts: int) -> Burial:
    return Burial(entry.id, failure.reason, f"{type(failure.error).__name__}: {readable(failure.error)}", attempts)


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


async def _try(turn: Turn, host: Host, behaviour: Behaviour | None, entry: Entry, wire: WireMail) -> Failure | None:
    """Apply one mail; returns why it failed, everything that it did undone but for the branch object."""
    category = PackageCategory(wire.header.category)
    if category not in APPLIED and category != PackageCategory.COMMAND and behaviour is None:
        turn.aside.append(entry.id)
        return None
    mark = host.mark()
    if host.ledger is not None:
        host.ledger.begin(wire.id)
    failure = await _apply(turn, entry, host, behaviour, wire, category)
    if failure is not None:
        host.rollback(mark)
    return failure


async def _apply(
    turn: Turn, entry: Entry, host: Host, behaviour: Behaviour | None, wire: WireMail, category: PackageCategory
) -> Failure | None:
    if category == PackageCategory.COMMAND:
        unknown = await answer_command(host, wire)
        if unknown is None:
            host.took_command(wire)
        else:
            # Whoever asked has the error; the command is kept for a person to look at, who may send it again.
            turn.buried.append(_burial(entry, Failure(unknown, "unknown_outcome"), turn.attempts))
        return None
    is_message = category == PackageCategory.MESSAGE
    try:
        mail = host.read(wire)
        if category in APPLIED and not (is_message and behaviour is not None and not behaviour.record):
            apply(host.branch, mail)
        host.took(mail, wire)
    except Exception as error:
        return Failure(error, reason_of(error))
    if behaviour is not None and (is_message or category not in APPLIED):
        return await _behave(host, behaviour, mail)
    return None


async def _behave(host: Host, behaviour: Behaviour, mail: Mail) -> Failure | None:
    try:
        await behaviour.function(host.branch, mail)
    except BehaviourUnknown as error:
        return Failure(error, "unknown_behaviour")
    except UnknownOutcome as error:
        return Failure(error, "unknown_outcome", final=True)
    except (BrokerUnavailable, LeaseLost):
        # None of the mail's doing: the branch is left, and whoever takes it goes on with what was recorded.
        raise
    except Exception as error:
        return Failure(error, "failed")
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        # Something that the behaviour waited for was cancelled, not this turn.
        return Failure(BranchError("Something that the behaviour waited for was cancelled."), "failed")
    return None


def _is_message(body: object) -> bool:
    item = body.get("item") if isinstance(body, dict) else None
    metadata = item.get("metadata") if isinstance(item, dict) else None
    if not isinstance(item, dict) or not isinstance(metadata, dict):
        return False
    return metadata.get("lion_class") in _KINDS and isinstance(item.get("content"), dict)
