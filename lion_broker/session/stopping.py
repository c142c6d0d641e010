"""Mail that workers have in hand is stopped: it becomes a dead letter, and what its turn has done takes no effect."""

from __future__ import annotations

import time
from typing import Any, Final

from lion_broker.branch.directory import gone
from lion_broker.core.ids import ID
from lion_broker.core.numbers import counted
from lion_broker.errors import ConfigError
from lion_broker.mail.exchange import Steps, ask
from lion_broker.mail.records import BranchRecord
from lion_broker.mail.verbs import ReadBranches, ReadEvents, ReadSession

from .state import SessionState
from .withdrawing import (
    Removal,
    TakenOut,
    WaitingMail,
    held_steps,
    ids_of,
    note_steps,
    pieces_steps,
    told_of,
    waiting_steps,
    why_steps,
)

__all__ = ["at_work_steps", "stop_mail_steps", "stop_steps"]

_ROUNDS: Final = 5
"""How often a mail is looked for again that has meanwhile been begun, or has failed and waits to be tried again."""
_SECONDS: Final = 3.0
"""For so long it is waited for a worker to say which of its mails it is at, which it does once a second."""
_PAUSE_MS: Final = 200
_AT_REST: Final = "nobody is at it any more, it waits: `lion-broker mail withdraw {}` takes it out"


def stop_mail_steps(state: SessionState, mails: Any, branch: ID.Ref | None, reason: str, by: str) -> Steps[TakenOut]:
    """Stop mails of an open session, or what one of its branches is at."""
    if (mails is None) == (branch is None):
        raise ConfigError("Name mails, or the branch that is to stop what it is at.")
    chosen = (yield from state.chosen_steps(branch)) if branch is not None else ()
    yield from state.flush_steps()
    owner = by or f"a program ({state.context.owner})"
    done: TakenOut = yield from stop_steps(state.session, mails, chosen[0] if chosen else "", reason, owner)
    return done


def stop_steps(session: str, mails: Any, branch: str = "", reason: str = "", by: str = "") -> Steps[TakenOut]:
    """Stop mails of a session that are named, wherever they are, or (None) the one that a branch is at.

    Written down in the audit, as done by `by`, before it is done. Raises ConfigError, ItemNotFoundError.
    """
    if (yield from ask(ReadSession(session))) is None:
        raise gone(session)
    done = TakenOut()
    if mails is None:
        chosen = yield from at_work_steps(session, branch)
        if len(chosen) > 1:
            done.left.update({one.mail: _unsure(len(chosen)) for one in chosen})
            return done
        wanted = dict.fromkeys(one.mail for one in chosen)
    else:
        wanted = ids_of(mails)
        chosen = yield from waiting_steps(session)
    chosen = [one for one in chosen if one.mail in wanted]
    who, why, stopped = told_of(Removal.STOP, by, reason)
    _, _, withdrawn = told_of(Removal.WITHDRAW, by, reason)
    if chosen:
        yield from note_steps(Removal.STOP, session, who, chosen, why)
    for _ in range(_ROUNDS):
        at_rest = [one for one in chosen if not one.held]
        moved = yield from pieces_steps(Removal.STOP, session, [one for one in chosen if one.held], stopped, done)
        if mails is None:
            done.left.update({one.mail: _AT_REST.format(one.mail) for one in at_rest})
        else:
            moved |= yield from pieces_steps(Removal.WITHDRAW, session, at_rest, withdrawn, done, held=True)
        if not moved:
            break
        # It was begun meanwhile, or has failed and waits to be tried again, or was handled.
        found = yield from waiting_steps(session)
        chosen = [one for one in found if one.mail in moved]
    missing = [one for one in wanted if one not in done.letters and one not in done.left]
    done.left.update((yield from why_steps(session, missing)))
    return done


def at_work_steps(session: str, branch: str) -> Steps[list[WaitingMail]]:
    """Find the mail that a branch is at; of several that its worker was given all, where it has not said which one."""
    deadline = time.monotonic() + _SECONDS
    tip = (yield from ask(ReadEvents(session, "$")))[0].id
    while True:
        record = yield from _record_steps(session, branch)
        if record is None:
            return []
        held = yield from held_steps(session, record)
        chosen = [one for one in held if one.mail == record.at] or held
        if len(chosen) <= 1 or time.monotonic() > deadline:
            return chosen
        events = yield from ask(ReadEvents(session, tip, wait_ms=_PAUSE_MS, gaps=False))
        tip = events[-1].id if events else tip


def _record_steps(session: str, branch: str) -> Steps[BranchRecord | None]:
    found = yield from ask(ReadBranches(session, (branch,)))
    return found[0] if found else None


def _unsure(count: int) -> str:
    mails = counted(count, "mail")
    return f"its worker has {mails} in hand and has not said which one it is at; ask again, or name the mail"
