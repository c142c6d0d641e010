"""Many branches pause and go on with one act: those of a session, those of a pool whichever session they are of.

A pool that is paused for all sessions stays so: what is made for it later is paused, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from lion_broker.core.ids import IDType
from lion_broker.core.portable import readable
from lion_broker.mail.deployment import mark_of_pool
from lion_broker.mail.exchange import Steps, ask, ask_all
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import BranchRecord
from lion_broker.mail.verbs import (
    ListSessions,
    Pause,
    PausePool,
    ReadBranches,
    ReadPools,
    Resume,
    ResumePool,
    Verb,
    WriteAudit,
)

__all__ = ["BranchSelection", "Switched", "any_steps", "pause_steps", "resume_steps"]

_READ: Final = 200
_TOGETHER: Final = 10
_LONGEST: Final = 500
_POOLS: Final = 100_000


@dataclass(frozen=True, slots=True)
class BranchSelection:
    """Branches that are meant: those on workers, of one session or of all, of one pool or of any."""

    session: str = ""
    pool: str = ""

    def has(self, record: BranchRecord) -> bool:
        """Whether a branch is one of them; a branch of a program takes no turns by itself and never is."""
        return record.state == "open" and record.seed.pool != "" and self.pool in ("", record.seed.pool)

    @property
    def mark(self) -> str:
        """How the reason begins for which they are paused, if with their pool."""
        return mark_of_pool(self.pool) if self.pool else ""

    @property
    def lasting(self) -> bool:
        """Whether branches that are made later are meant as well: those of a pool, of whichever session."""
        return self.pool != "" and self.session == ""

    @property
    def target(self) -> str:
        """What the audit calls them."""
        of = [f"pool {self.pool}"] if self.pool else []
        return " of ".join([*of, f"session {self.session}"] if self.session else of)


@dataclass(slots=True)
class Switched:
    """What became of the branches that were meant: which were changed, and why each of the others stays as it was.

    Keys are (session, branch), values the reason for which it is paused. `more` says that it ended early.
    """

    done: dict[tuple[str, str], str] = field(default_factory=dict)
    left: dict[tuple[str, str], str] = field(default_factory=dict)
    more: bool = False


def pause_steps(selection: BranchSelection, reason: str, by: str, most: int | None = None) -> Steps[Switched]:
    """Have branches take no more turns; one that is paused already keeps its reason. At most `most` of them.

    Written down in the audit before the first. A pool is paused for branches that are made later, too, if those of all
    sessions are meant.
    """
    told = selection.mark + (readable(reason.strip(), _LONGEST) or f"paused by {by}")

    def verb_of(session: str, record: BranchRecord) -> Verb[Outcome] | None:
        return None if record.paused else Pause(session, record.id, told)

    return (yield from _switch_steps(selection, "pause", told, by, verb_of, most))


def resume_steps(selection: BranchSelection, by: str, most: int | None = None) -> Steps[Switched]:
    """Let branches take turns again, and those that are made later.

    Of a pool those that were paused with it; who was paused alone has a reason.
    """

    def verb_of(session: str, record: BranchRecord) -> Verb[Outcome] | None:
        return Resume(session, record.id) if record.paused and record.paused.startswith(selection.mark) else None

    return (yield from _switch_steps(selection, "resume", "", by, verb_of, most))


def any_steps(selection: BranchSelection) -> Steps[bool]:
    """Say whether any branch is one of them; reads until the first."""
    for session in [selection.session] if selection.session else list(reversed((yield from ask(ListSessions())))):
        starts = {session: 0}
        while starts:
            if (yield from _read_steps(selection, starts)):
                return True
    return False


def _last_steps(selection: BranchSelection, word: str, detail: str, by: str) -> Steps[bool]:
    """Say what goes for branches of a pool that are made later; whether that is new, and was written down."""
    pools = yield from ask(ReadPools(_POOLS))
    is_new = any(one.pool == selection.pool and one.pause for one in pools) == (detail == "")
    if is_new:
        yield from _note_steps(selection, word, detail, by)
    # Also where it is said already: of several partitions one may not have heard of it.
    yield from ask(PausePool(selection.pool, detail) if detail else ResumePool(selection.pool))
    return is_new


def _note_steps(selection: BranchSelection, word: str, detail: str, by: str) -> Steps[None]:
    who, kind = readable(by, _LONGEST), "pool" if selection.pool else "session"
    yield from ask(WriteAudit(who, f"{word} {kind}", selection.target, nonce=IDType.create(), detail=detail))


def _switch_steps(
    selection: BranchSelection,
    word: str,
    detail: str,
    by: str,
    verb_of: Callable[[str, BranchRecord], Verb[Outcome] | None],
    most: int | None,
) -> Steps[Switched]:
    # First: what is made while the others are looked at is one of them.
    noted = selection.lasting and (yield from _last_steps(selection, word, detail, by))
    sessions = [selection.session] if selection.session else list(reversed((yield from ask(ListSessions()))))
    switched = Switched()
    for first in range(0, len(sessions), _TOGETHER):
        starts = dict.fromkeys(sessions[first : first + _TOGETHER], 0)
        while starts:
            met = yield from _read_steps(selection, starts)
            verbs = [(session, record, verb) for session, record in met if (verb := verb_of(session, record))]
            changed = {(session, record.id) for session, record, _ in verbs}
            switched.left |= {
                (session, record.id): record.paused
                for session, record in met
                if record.paused and (session, record.id) not in changed
            }
            if verbs and not noted:
                yield from _note_steps(selection, word, detail, by)
                noted = True
            for piece in _pieces(verbs, None if most is None else most - len(switched.done)):
                outcomes = yield from ask_all([verb for _, _, verb in piece])
                switched.done |= {
                    (session, record.id): detail
                    for (session, record, _), outcome in zip(piece, outcomes, strict=True)
                    if outcome is Outcome.OK
                }
            if most is not None and len(switched.done) >= most:
                switched.more = True
                return switched
    return switched


def _read_steps(selection: BranchSelection, starts: dict[str, int]) -> Steps[list[tuple[str, BranchRecord]]]:
    """Read a page of each session that `starts` has, which then says where the next page of each begins."""
    ids = list(starts)
    pages = yield from ask_all([ReadBranches(one, start=starts[one], count=_READ) for one in ids])
    met = list[tuple[str, BranchRecord]]()
    for session, page in zip(ids, pages, strict=True):
        if page:
            starts[session] += len(page)
        else:
            del starts[session]
        met += [(session, record) for record in page if selection.has(record)]
    return met


def _pieces(
    verbs: Sequence[tuple[str, BranchRecord, Verb[Outcome]]], most: int | None
) -> Iterator[Sequence[tuple[str, BranchRecord, Verb[Outcome]]]]:
    whole = verbs if most is None else verbs[:most]
    for first in range(0, len(whole), _READ):
        yield whole[first : first + _READ]
