"""The rounds of mail that a session commands: collect, send, receive, and all of it."""

from __future__ import annotations

from typing import Any

from lion_broker.core.ids import IDType
from lion_broker.mail.exchange import Steps
from lion_broker.mail.verbs import Collect, Receive, Send

from .settle import move_steps, settle_steps
from .state import SessionState

__all__ = ["collect_steps", "gather_steps", "round_steps", "send_steps"]

Chosen = tuple[IDType, ...] | None
"""Branches by id; None means all of them."""


def collect_steps(state: SessionState, from_: Any, timeout: float | None) -> Steps[None]:
    """Take outgoing mail into the exchange, then apply what was delivered before to the same branches."""
    yield from state.read_all_steps()
    chosen = yield from state.chosen_steps(from_)
    yield from gather_steps(state, chosen)
    yield from _apply(state, chosen, timeout)


def gather_steps(state: SessionState, chosen: Chosen) -> Steps[None]:
    """Take outgoing mail into the exchange."""
    yield from state.flush_steps()
    leaving = state.local_branches.outgoing(senders=chosen)
    yield from move_steps(state.session, lambda _: Collect(state.session, chosen))
    state.local_branches.let_go(leaving)


def send_steps(state: SessionState, to_: Any) -> Steps[None]:
    """Deliver outgoing mail to branches (None: to all), collected or still in an outbox."""
    chosen = yield from state.chosen_steps(to_)
    yield from state.flush_steps()
    leaving = state.local_branches.outgoing(recipients=chosen)
    moved = yield from move_steps(state.session, lambda resume: Send(state.session, chosen, resume=resume))
    state.local_branches.let_go(leaving)
    yield from state.local_branches.refresh_steps(moved)


def round_steps(state: SessionState, receive_all: bool, timeout: float | None) -> Steps[None]:
    """Collect and send everything; with `receive_all` every branch then applies what it got.

    The same as `collect` and `send` one after the other, with mail moved once instead of twice: what is collected
    would be sent in the same breath.
    """
    yield from state.read_all_steps()
    yield from state.flush_steps()
    yield from _apply(state, None, timeout)
    yield from state.flush_steps()
    leaving = state.local_branches.outgoing()
    moved = yield from move_steps(state.session, lambda resume: Send(state.session, receive=receive_all, resume=resume))
    state.local_branches.let_go(leaving)
    if not receive_all:
        yield from state.local_branches.refresh_steps(moved)
        return
    remote = {branch: entry for branch, entry in moved.items() if not _is_local(state, branch)}
    yield from _apply(state, None, timeout, remote)


def _apply(
    state: SessionState, chosen: Chosen, timeout: float | None, started: dict[str, str] | None = None
) -> Steps[None]:
    """Apply delivered mail: of local branches here, of the session itself, and on workers until they have settled.

    `started` are branches on workers that have got mail into their mailboxes already, with the newest entry.
    """
    yield from state.local_branches.receive_steps(chosen)
    if chosen is None or state.session in chosen:
        yield from state.inbox.apply_steps()
    remote = None if chosen is None else tuple(one for one in chosen if not _is_local(state, one))
    targets = dict(started or {})
    if remote != ():
        targets.update((yield from move_steps(state.session, lambda _: Receive(state.session, remote))))
    yield from settle_steps(state.context.directory, targets, timeout)


def _is_local(state: SessionState, branch: str) -> bool:
    if branch in state.local_branches.hosts or branch == state.session:
        return True
    return branch in state.found and not state.found[branch].pool
