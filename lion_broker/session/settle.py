"""Waits until work that was started has come to an end, woken by the session's live tail."""

from __future__ import annotations

import time
from collections.abc import Mapping

from lion_broker.errors import ItemNotFoundError, RoundTimeout
from lion_broker.mail.exchange import Steps, ask
from lion_broker.mail.verbs import Progress, ReadEvents, ReadSession

__all__ = ["idle_steps", "settle_steps"]

_LONGEST_WAIT_MS = 1000


def settle_steps(session: str, targets: Mapping[str, str], timeout: float | None) -> Steps[None]:
    """Wait until each branch has committed past the mailbox entry named for it.

    Raises RoundTimeout after `timeout` seconds (None: never); what is open then stays in the mailboxes.
    """
    deadline = _deadline(timeout)
    tip = yield from _tip(session)
    waiting = dict(targets)
    while waiting:
        still = yield from ask(Progress(session, waiting))
        waiting = {branch: waiting[branch] for branch in still}
        if waiting:
            names = ", ".join(sorted(waiting)[:3]) + (" …" if len(waiting) > 3 else "")
            tip = yield from _next_event(
                session,
                tip,
                deadline,
                f"{len(waiting)} branches have not handled their mail in {timeout:g} s: {names}. It stays in their"
                " mailboxes. Is a worker running for their pool (lion-broker worker --pool …)?"
                if timeout is not None
                else "",
            )


def idle_steps(session: str, timeout: float | None) -> Steps[None]:
    """Wait until no mail is in flight between branches on workers. Raises RoundTimeout after `timeout` seconds."""
    deadline = _deadline(timeout)
    tip = yield from _tip(session)
    while True:
        record = yield from ask(ReadSession(session))
        if record is None:
            raise ItemNotFoundError(f"There is no session {session} any more.")
        count = record.counters["inflight"]
        if count <= 0:
            return
        text = "" if timeout is None else f"{count} mails are still in flight after {timeout:g} s; none is lost."
        tip = yield from _next_event(session, tip, deadline, text)


def _deadline(timeout: float | None) -> float | None:
    return None if timeout is None else time.monotonic() + timeout


def _tip(session: str) -> Steps[str]:
    found = yield from ask(ReadEvents(session, "$"))
    return found[0].id


def _next_event(session: str, tip: str, deadline: float | None, text: str) -> Steps[str]:
    """Wait for something to happen in the session, for a second at most; returns how far the tail was read."""
    left_ms = _LONGEST_WAIT_MS if deadline is None else int((deadline - time.monotonic()) * 1000)
    if left_ms <= 0:
        raise RoundTimeout(text)
    events = yield from ask(ReadEvents(session, tip, wait_ms=min(left_ms, _LONGEST_WAIT_MS)))
    return events[-1].id if events else tip
