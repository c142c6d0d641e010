"""One mail applied to a branch, whole or not at all: what it is, what its behaviour does, and why it failed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Protocol

import anyio

from lion_broker.branch.applying import APPLIED, apply
from lion_broker.branch.host import Host
from lion_broker.branch.refusal import reason_of
from lion_broker.branch.registry import Behaviour
from lion_broker.core.portable import readable
from lion_broker.errors import BehaviourUnknown, BranchError, BrokerUnavailable, LeaseLost, UnknownOutcome
from lion_broker.mail.mail import Mail
from lion_broker.mail.package import PackageCategory
from lion_broker.mail.records import Burial, Entry
from lion_broker.mail.wire import WireMail
from lion_broker.telemetry import logger
from lion_broker.telemetry.lines import without_credentials

from .account import Account
from .commands import answer_command

__all__ = ["Failure", "attempt"]

log = logger("worker")


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a mail could not be applied: the error, and the reason code of the dead letter that it may become.

    After a `final` one the mail is not tried again. `theirs` says that it is the mail that is wrong, whatever the
    behaviour: no branch halts because of it.
    """

    error: BaseException
    reason: str
    final: bool = False
    theirs: bool = False

    def burial(self, entry: str, attempts: int) -> Burial:
        """The dead letter that the mail in an entry becomes, without what looks like a credential."""
        name = type(self.error).__name__
        said = without_credentials(readable(self.error))
        return Burial(entry, self.reason, f"{name}: {said}", attempts, error=name)


class Decided(Protocol):
    """Where an attempt notes what it decided."""

    attempts: int
    new: str
    aside: list[str]
    buried: list[Burial]
    account: Account


async def attempt(
    turn: Decided, host: Host, behaviour: Behaviour | None, entry: Entry, wire: WireMail
) -> Failure | None:
    """Apply one mail; returns why it failed, everything that it did undone but for the branch object."""
    category = wire.header.category
    if category not in APPLIED and category != PackageCategory.COMMAND and behaviour is None:
        turn.aside.append(entry.id)
        return None
    savepoint = host.savepoint()
    if host.ledger is not None:
        host.ledger.begin(wire.id)
    with turn.account.handling(host, wire, turn.attempts) as handling:
        failure = await _apply(turn, entry, host, behaviour, wire, category)
        if failure is not None and host.ledger is not None and host.ledger.cut is not None:
            # Whatever ended the attempt: another one would make the call a second time.
            failure = Failure(host.ledger.cut, "unknown_outcome", final=True)
        handling.failure = failure
        if failure is not None:
            # Here, where a line names session, branch, mail and attempt.
            log.warning("a mail failed (%s): %s", failure.reason, type(failure.error).__name__)
    if failure is not None:
        host.rollback(savepoint)
    return failure


async def _apply(
    turn: Decided, entry: Entry, host: Host, behaviour: Behaviour | None, wire: WireMail, category: str
) -> Failure | None:
    if category == PackageCategory.COMMAND:
        unknown = await answer_command(host, wire, new=entry.id == turn.new)
        if unknown is None:
            host.took_command(wire)
        else:
            # Whoever asked has the error; the command is kept for a person to look at, who may send it again.
            turn.buried.append(Failure(unknown, "unknown_outcome").burial(entry.id, turn.attempts))
        return None
    is_message = category == PackageCategory.MESSAGE
    try:
        mail = host.read(wire)
        if category in APPLIED and not (is_message and behaviour is not None and not behaviour.record):
            apply(host.branch, mail)
        host.took(mail, wire)
    except Exception as error:
        # It would be the same the next time.
        return Failure(error, reason_of(error), final=True, theirs=True)
    if behaviour is not None and (is_message or category not in APPLIED):
        return await _behave(host, behaviour, mail)
    return None


async def _behave(host: Host, behaviour: Behaviour, mail: Mail) -> Failure | None:
    try:
        work, timeout = behaviour.function(host.branch, mail), behaviour.retry_policy.timeout
        await (work if timeout is None else _within(timeout, work))
    except BehaviourUnknown as error:
        return Failure(error, "unknown_behaviour", final=True, theirs=True)
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


async def _within(seconds: float, work: Awaitable[None]) -> None:
    """Do the work; TimeoutError when it takes longer."""
    with anyio.move_on_after(seconds) as limit:
        await work
    if limit.cancelled_caught:
        raise TimeoutError(f"The behaviour did not end within {seconds:g} s.")
