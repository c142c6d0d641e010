"""Waits until work that was started has come to an end, woken by the session's live tail."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from secrets import token_hex
from typing import Any

from lion_broker.branch.directory import Directory, gone, session_steps
from lion_broker.core.numbers import counted
from lion_broker.errors import RoundTimeout
from lion_broker.mail.exchange import Steps, ask, ask_all
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import BranchRecord, Moved, SessionRecord
from lion_broker.mail.verbs import Progress, ReadBranches, ReadEvents, ReadSession, Receive, Send, Verb

__all__ = ["idle_steps", "move_steps", "settle_steps"]

_LONGEST_WAIT_MS = 1000
_MOST_LOOKED_AT = 1000


def move_steps(session: str, verb_of: Callable[[str], Verb[Moved]]) -> Steps[dict[str, str]]:
    """Repeat a moving verb until nothing is left to move; returns the newest entry of every branch that got mail."""
    targets: dict[str, str] = {}
    resume, more = "", True
    while more:
        moved = yield from ask(_known_again(verb_of(resume)))
        if moved.outcome == Outcome.UNKNOWN:
            raise gone(session)
        targets.update(moved.targets)
        resume, more = moved.resume, moved.more
    return targets


def _known_again(verb: Verb[Moved]) -> Verb[Moved]:
    """The verb with a name of its own: repeated after a lost answer, it says again who got mail."""
    return replace(verb, nonce=token_hex(8)) if isinstance(verb, (Send, Receive)) else verb


def settle_steps(directory: Directory, targets: Mapping[str, str], timeout: float | None) -> Steps[None]:
    """Wait until each branch has committed past the mailbox entry named for it.

    Raises RoundTimeout after `timeout` seconds (None: never), with names and pools of what is open then: it stays in
    the mailboxes. ItemNotFoundError when the session is no more.
    """
    session, deadline = directory.session, _deadline(timeout)
    tip = yield from _tip(session)
    waiting = dict(targets)
    while waiting:
        verbs: list[Verb[Any]] = [Progress(session, waiting), ReadSession(session)]
        still, record = yield from ask_all(verbs)
        if record is None:
            # Of a session that is no more, no branch is behind either.
            raise gone(session)
        waiting = {branch: waiting[branch] for branch in still}
        if waiting and deadline is not None and time.monotonic() >= deadline:
            names = ", ".join(directory.shown(one) for one in sorted(waiting)[:3]) + (" …" if len(waiting) > 3 else "")
            why = (yield from _why_steps(session)) or (
                " Is a worker running for their pool (lion-broker worker --pool …)?"
            )
            raise RoundTimeout(
                f"After {timeout:g} s mail of {counted(len(waiting), 'branch')} has not been handled: {names}. It stays"
                f" in the mailbox.{why}"
            )
        if waiting:
            tip = yield from _next_event(session, tip, deadline)


def idle_steps(session: str, timeout: float | None) -> Steps[None]:
    """Wait until no mail is in flight between branches on workers. Raises RoundTimeout after `timeout` seconds."""
    deadline = _deadline(timeout)
    tip = yield from _tip(session)
    while True:
        record = yield from session_steps(session)
        count = record.counters["inflight"]
        if count <= 0:
            # Entries that no verb has written were never counted when they came, but are when they go.
            count = yield from _waiting_steps(record)
            if not count:
                return
        if deadline is not None and time.monotonic() >= deadline:
            why = yield from _why_steps(session)
            raise RoundTimeout(
                f"{counted(count, 'mail is', 'mails are')} still in flight after {timeout:g} s; none is lost.{why}"
            )
        tip = yield from _next_event(session, tip, deadline)


def _waiting_steps(record: SessionRecord) -> Steps[int]:
    """How many mails wait for branches on workers, by the mailboxes of a session that is not too large to look at."""
    if record.branches > _MOST_LOOKED_AT:
        return 0
    found = yield from ask(ReadBranches(record.id, count=_MOST_LOOKED_AT))
    return sum(one.waiting + one.deferred for one in found if one.seed.pool)


def _deadline(timeout: float | None) -> float | None:
    return None if timeout is None else time.monotonic() + timeout


def _tip(session: str) -> Steps[str]:
    found = yield from ask(ReadEvents(session, "$"))
    return found[0].id


def _why_steps(session: str) -> Steps[str]:
    """Say which branches are paused, if any are: what waits for them waits for a person."""
    paused: list[BranchRecord] = []
    read = 0
    while page := (yield from ask(ReadBranches(session, start=read))):
        paused += [record for record in page if record.paused]
        read += len(page)
    told = "; ".join(f"{record.seed.name or record.id} is paused ({record.paused:.200})" for record in paused[:3])
    more = f"; and {len(paused) - 3} more" if len(paused) > 3 else ""
    return f" {told}{more}: session.resume(branch) lets it go on." if paused else ""


def _next_event(session: str, tip: str, deadline: float | None) -> Steps[str]:
    """Wait for something to happen in the session, for a second at most; returns how far the tail was read."""
    left_ms = _LONGEST_WAIT_MS if deadline is None else max(1, int((deadline - time.monotonic()) * 1000))
    events = yield from ask(ReadEvents(session, tip, wait_ms=min(left_ms, _LONGEST_WAIT_MS), gaps=False))
    return events[-1].id if events else tip
