"""Dead letters by what they died of: the reason, the behaviour, and the error without its numbers and ids."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from lion_broker.core.portable import one_line
from lion_broker.mail.exchange import PAUSE, Steps, ask, ask_all
from lion_broker.mail.records import START, DeadLetter, is_after
from lion_broker.mail.verbs import ReadBranches, ReadDead

__all__ = ["GROUPS", "Behaviours", "FailureKind", "Group", "Groups", "group_steps", "kind_of", "masked"]

GROUPS: Final = 500
"""So many groups are told apart; letters that would begin another one are counted only."""
_PAGE: Final = 1000
_LONGEST: Final = 300
_SESSIONS_NAMED: Final = 20
_ID: Final = re.compile(
    r"\b(?:0x[0-9a-f]+|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?=[a-z_-]*\d)(?=[\d_-]*[a-z])[a-z0-9][a-z0-9_-]{11,})\b",
    re.IGNORECASE,
)
_NUMBER: Final = re.compile(r"\d+(?:[.,:]\d+)*")


@dataclass(frozen=True, slots=True)
class FailureKind:
    """What dead letters of a group have in common: reason, behaviour of the branch, error with its numbers masked."""

    reason: str
    behaviour: str
    error: str

    @property
    def id(self) -> str:
        """A short name of the group, the same wherever and whenever it is made."""
        return sha256("\n".join((self.reason, self.behaviour, self.error)).encode("utf-8", "replace")).hexdigest()[:10]


@dataclass(slots=True)
class Group:
    """Dead letters that died of the same: how many, since when and until when, in which sessions, and an example.

    `first` and `last` are seconds since the epoch. `sessions` are the first twenty, `touched` is how many there are.
    `newest` is the id of the latest letter.
    """

    kind: FailureKind
    example: str
    count: int = 0
    first: float = 0.0
    last: float = 0.0
    newest: str = START
    touched: int = 0
    sessions: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Groups:
    """Groups, the largest first; `letters` were looked at, `others` belong to groups that are not told apart.

    `more` says that there are letters that were not looked at.
    """

    groups: tuple[Group, ...]
    letters: int
    others: int = 0
    more: bool = False


def masked(text: str) -> str:
    """Return the first line of what an error says, with `<id>` for ids and `#` for numbers; at most 300 characters."""
    first = one_line(text.strip().partition("\n")[0], _LONGEST)
    return one_line(_NUMBER.sub("#", _ID.sub("<id>", first)), _LONGEST)


def kind_of(letter: DeadLetter, behaviour: str) -> FailureKind:
    """Return what a letter died of; `behaviour` is that of its branch."""
    return FailureKind(letter.reason, behaviour, masked(letter.detail or letter.error))


class Behaviours:
    """Which behaviour each branch has; each is asked for once."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], str] = {}

    def learn_steps(self, session: str, letters: Iterable[DeadLetter]) -> Steps[None]:
        """Read the behaviours of the branches that some letters were for."""
        wanted = tuple({one.branch for one in letters if one.branch and (session, one.branch) not in self._known})
        pages = yield from ask_all(
            [ReadBranches(session, wanted[first : first + _PAGE]) for first in range(0, len(wanted), _PAGE)]
        )
        self._known |= {(session, branch): "" for branch in wanted}
        self._known |= {(session, record.id): record.seed.behaviour for page in pages for record in page}

    def kind_of(self, session: str, letter: DeadLetter) -> FailureKind:
        """Return what a letter died of."""
        return kind_of(letter, self._known.get((session, letter.branch), ""))


def group_steps(
    sessions: Sequence[str], fits: Callable[[DeadLetter], bool] = lambda letter: True, most: int | None = None
) -> Steps[Groups]:
    """Group the dead letters of sessions that fit, a thousand a round trip; looks at `most` of them (None: at all)."""
    behaviours = Behaviours()
    found: dict[FailureKind, Group] = {}
    seen: set[tuple[FailureKind, str]] = set()
    looked = others = 0
    for session in sessions:
        after = START
        while page := (yield from ask(ReadDead(session, after, _PAGE, whole=False))):
            if most is not None and looked >= most:
                return _sorted(found, looked, others, more=True)
            after = page[-1].id
            looked += len(page)
            yield from behaviours.learn_steps(session, page)
            for letter in filter(fits, page):
                kind = behaviours.kind_of(session, letter)
                if kind not in found and len(found) >= GROUPS:
                    others += 1
                    continue
                _add(found.setdefault(kind, Group(kind, letter.detail or letter.error)), session, letter, seen)
            yield PAUSE
    return _sorted(found, looked, others, more=False)


def _add(group: Group, session: str, letter: DeadLetter, seen: set[tuple[FailureKind, str]]) -> None:
    at = int(letter.id.partition("-")[0]) / 1000
    group.count += 1
    group.first = min(group.first or at, at)
    group.last = max(group.last, at)
    group.newest = letter.id if is_after(letter.id, group.newest) else group.newest
    if (group.kind, session) not in seen:
        seen.add((group.kind, session))
        group.touched += 1
        group.sessions += [session] if len(group.sessions) < _SESSIONS_NAMED else []


def _sorted(found: dict[FailureKind, Group], letters: int, others: int, *, more: bool) -> Groups:
    groups = sorted(found.values(), key=lambda one: (-one.count, -one.last, one.kind.id))
    return Groups(tuple(groups), letters, others, more)
