"""The rounds of mail that a session commands: collect, send, receive, and all of it."""

from __future__ import annotations

from typing import Any

from lion_broker.core.ids import IDType
from lion_broker.mail.exchange import Steps
from lion_broker.mail.verbs import Collect, Receive, Send

from .estate import Estate
from .settle import move_steps, settle_steps

__all__ = ["collect_steps", "gather_steps", "round_steps", "send_steps"]

Chosen = tuple[IDType, ...] | None
"""Branches by id; None means all of them."""


def collect_steps(estate: Estate, from_: Any, timeout: float | None) -> Steps[None]:
    """Take outgoing mail into the exchange, then apply what was delivered before to the same branches."""
    yield from estate.known_steps()
    chosen = yield from estate.chosen_steps(from_)
    yield from gather_steps(estate, chosen)
    yield from _apply(estate, chosen, timeout)


def gather_steps(estate: Estate, chosen: Chosen) -> Steps[None]:
    """Take outgoing mail into the exchange."""
    yield from estate.flush_steps()
    leaving = estate.household.outgoing(senders=chosen)
    yield from move_steps(estate.session, lambda _: Collect(estate.session, chosen))
    estate.household.let_go(leaving)


def send_steps(estate: Estate, to_: Any) -> Steps[None]:
    """Deliver outgoing mail to branches (None: to all), collected or still in an outbox."""
    chosen = yield from estate.chosen_steps(to_)
    yield from estate.flush_steps()
    leaving = estate.household.outgoing(recipients=chosen)
    moved = yield from move_steps(estate.session, lambda resume: Send(estate.session, chosen, resume=resume))
    estate.household.let_go(leaving)
    yield from estate.household.refresh_steps(moved)


def round_steps(estate: Estate, receive_all: bool, timeout: float | None) -> Steps[None]:
    """Collect and send everything; with `receive_all` every branch then applies what it got.

    The same as `collect` and `send` one after the other, with mail moved once instead of twice: what is collected
    would be sent in the same breath.
    """
    yield from estate.known_steps()
    yield from estate.flush_steps()
    yield from _apply(estate, None, timeout)
    yield from estate.flush_steps()
    leaving = estate.household.outgoing()
    moved = yield from move_steps(
        estate.session, lambda resume: Send(estate.session, receive=receive_all, resume=resume)
    )
    estate.household.let_go(leaving)
    if not receive_all:
        yield from estate.household.refresh_steps(moved)
        return
    remote = {branch: entry for branch, entry in moved.items() if not _is_local(estate, branch)}
    yield from _apply(estate, None, timeout, remote)


def _apply(estate: Estate, chosen: Chosen, timeout: float | None, started: dict[str, str] | None = None) -> Steps[None]:
    """Apply delivered mail: of local branches here, of the session itself, and on workers until they have settled.

    `started` are branches on workers that have got mail into their mailboxes already, with the newest entry.
    """
    yield from estate.household.receive_steps(chosen)
    if chosen is None or estate.session in chosen:
        yield from estate.desk.apply_steps()
    remote = None if chosen is None else tuple(one for one in chosen if not _is_local(estate, one))
    targets = dict(started or {})
    if remote != ():
        targets.update((yield from move_steps(estate.session, lambda _: Receive(estate.session, remote))))
    yield from settle_steps(estate.around.directory, targets, timeout)


def _is_local(estate: Estate, branch: str) -> bool:
    if branch in estate.household.hosts or branch == estate.session:
        return True
    return branch in estate.found and not estate.found[branch].pool
