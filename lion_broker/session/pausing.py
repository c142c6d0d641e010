"""Many branches pause and go on with one act: those of a session, those of a pool whichever session they are of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from lion_broker.core.ids import IDType
from lion_broker.core.portable import readable
from lion_broker.insight.reasons import mark_of_pool
from lion_broker.mail.exchange import Steps, ask, ask_all
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import BranchRecord
from lion_broker.mail.verbs import ListSessions, Pause, ReadBranches, Resume, Verb, WriteAudit

__all__ = ["Crowd", "Switched", "pause_steps", "resume_steps"]

_READ: Final = 200
_TOGETHER: Final = 10
_LONGEST: Final = 500


@dataclass(frozen=True, slots=True)
class Crowd:
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
    def target(self) -> str:
        """What the audit calls them."""
        of = [f"pool {self.pool}"] if self.pool else []
        return " of ".join([*of, f"session {self.session}"] if self.session else of)


@dataclass(slots=True)
class Switched:
    """What became of a crowd: the branches that were changed, and why each of the others stays as it was.

    Keys are (session, branch), values the reason for which it is paused. `more` says that it ended early.
    """

    done: dict[tuple[str, str], str] = field(default_factory=dict)
    left: dict[tuple[str, str], str] = field(default_factory=dict)
    more: bool = False


def pause_steps(crowd: Crowd, reason: str, by: str, most: int | None = None) -> Steps[Switched]:
    """Have branches take no more turns; one that is paused already keeps its reason. At most `most` of them.

    Written down in the audit before the first. Branches that are made afterwards are not meant.
    """
    told = crowd.mark + (readable(reason.strip(), _LONGEST) or f"paused by {by}")

    def verb_of(session: str, record: BranchRecord) -> Verb[Outcome] | None:
        return None if record.paused else Pause(session, record.id, told)

    return (yield from _switch_steps(crowd, "pause", told, by, verb_of, most))


def resume_steps(crowd: Crowd, by: str, most: int | None = None) -> Steps[Switched]:
    """Let branches take turns again. Of a pool those that were paused with it; who was paused alone has a reason."""

    def verb_of(session: str, record: BranchRecord) -> Verb[Outcome] | None:
        return Resume(session, record.id) if record.paused and record.paused.startswith(crowd.mark) else None

    return (yield from _switch_steps(crowd, "resume", "", by, verb_of, most))


def _switch_steps(
    crowd: Crowd,
    word: str,
    detail: str,
    by: str,
    verb_of: Callable[[str, BranchRecord], Verb[Outcome] | None],
    most: int | None,
) -> Steps[Switched]:
    sessions = [crowd.session] if crowd.session else list(reversed((yield from ask(ListSessions()))))
    switched = Switched()
    noted = False
    for first in range(0, len(sessions), _TOGETHER):
        starts = dict.fromkeys(sessions[first : first + _TOGETHER], 0)
        while starts:
            met = yield from _read_steps(crowd, starts)
            verbs = [(session, record, verb) for session, record in met if (verb := verb_of(session, record))]
            changed = {(session, record.id) for session, record, _ in verbs}
            switched.left |= {
                (session, record.id): record.paused
                for session, record in met
                if record.paused and (session, record.id) not in changed
            }
            if verbs and not noted:
                who = readable(by, _LONGEST)
                yield from ask(
                    WriteAudit(who, f"{word} {_kind(crowd)}", crowd.target, nonce=IDType.create(), detail=detail)
                )
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


def _kind(crowd: Crowd) -> str:
    return "pool" if crowd.pool else "session"


def _read_steps(crowd: Crowd, starts: dict[str, int]) -> Steps[list[tuple[str, BranchRecord]]]:
    """Read a page of each session that `starts` has, which then says where the next page of each begins."""
    ids = list(starts)
    pages = yield from ask_all([ReadBranches(one, start=starts[one], count=_READ) for one in ids])
    met = list[tuple[str, BranchRecord]]()
    for session, page in zip(ids, pages, strict=True):
        if page:
            starts[session] += len(page)
        else:
            del starts[session]
        met += [(session, record) for record in page if crowd.has(record)]
    return met


def _pieces(
    verbs: Sequence[tuple[str, BranchRecord, Verb[Outcome]]], most: int | None
) -> Iterator[Sequence[tuple[str, BranchRecord, Verb[Outcome]]]]:
    whole = verbs if most is None else verbs[:most]
    for first in range(0, len(whole), _READ):
        yield whole[first : first + _READ]
