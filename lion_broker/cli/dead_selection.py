"""Which dead letters a person means: by an id, also that of the mail, or by what they have in common."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lion_broker.core.numbers import counted
from lion_broker.errors import ConfigError, ItemNotFoundError

from .session_lookup import name_of, records_of, session_id

if TYPE_CHECKING:
    from lion_broker.mail.exchange import Exchange
    from lion_broker.mail.records import DeadLetter, SessionRecord

__all__ = [
    "LetterFilter",
    "SessionLetters",
    "check_reason",
    "is_letter",
    "letter_records",
    "letter_row",
    "names_of",
    "one_letter",
    "shelves",
]

_LETTER: Final = re.compile(r"\d+-\d+")


@dataclass(frozen=True, slots=True)
class LetterFilter:
    """What dead letters are to have in common; None where it does not matter."""

    reason: str | None = None
    error: str | None = None
    branch: str | None = None
    group: str | None = None

    @property
    def is_everything(self) -> bool:
        """Whether nothing was said."""
        return self == LetterFilter()

    def fits(self, letter: DeadLetter, names: dict[str, str], behaviour: str = "") -> bool:
        """Whether a letter has it; `behaviour` is that of its branch."""
        from lion_broker.insight.dead_groups import kind_of

        if self.group is not None and kind_of(letter, behaviour).id != self.group.strip().lower():
            return False
        error = f"{letter.error} {letter.detail}".lower()
        return (
            self.reason in (None, letter.reason)
            and (self.error is None or self.error.lower() in error)
            and self.branch in (None, letter.branch, names.get(letter.branch))
        )


@dataclass(frozen=True, slots=True)
class SessionLetters:
    """A session with the dead letters of it that are meant, the oldest first, and the names of their branches."""

    session: str
    name: str
    letters: list[DeadLetter]
    names: dict[str, str]

    def rows(self) -> list[dict[str, Any]]:
        """A row for each."""
        return [letter_row(self, one) for one in self.letters]


def is_letter(text: str | None) -> bool:
    """Whether a text is the id of a dead letter, which no session's id looks like."""
    return text is not None and _LETTER.fullmatch(text.strip()) is not None


def shelves(exchange: Exchange, session: str | None, ids: Sequence[str], wanted: LetterFilter) -> list[SessionLetters]:
    """Return the letters that are named by `ids`, or that fit; of one session, or of all that have any.

    Raises ItemNotFoundError for an id that no letter has, and one that letters of several sessions have; ConfigError
    for an empty one.
    """
    if not all(one.strip() for one in ids):
        raise ConfigError("An empty text names no dead letter; `lion-broker dead ls` lists them.")
    found = [_shelf(exchange, record, wanted, whole=bool(ids)) for record in letter_records(exchange, session)]
    if ids:
        return _named(found, ids, many=session is None)
    return found if session is not None else [one for one in found if one.letters]


def check_reason(exchange: Exchange, session: str | None, reason: str | None) -> None:
    """Raise ConfigError, which names the reasons that there are, for one that is none and that no letter has.

    A letter of a later version, or of an import, may have one that is not known here.
    """
    from lion_broker.insight.dead_reasons import MEANINGS

    if reason is None or reason in MEANINGS:
        return
    if not any(one.letters for one in shelves(exchange, session, (), LetterFilter(reason))):
        raise ConfigError(
            f"There is no reason {reason!r:.80}; there are {', '.join(sorted(MEANINGS))}. --error TEXT chooses by what"
            " was said."
        )


def one_letter(exchange: Exchange, session: str | None, letter: str) -> tuple[SessionLetters, DeadLetter]:
    """Return a letter with its session; see `shelves`."""
    (shelf,) = shelves(exchange, session, [letter], LetterFilter())
    return shelf, shelf.letters[0]


def letter_row(shelf: SessionLetters, letter: DeadLetter) -> dict[str, Any]:
    """Return what is to be known of a letter, as a row."""
    mail = letter.mail
    return {
        "id": letter.id,
        "session": shelf.session,
        "session_name": shelf.name,
        "branch": letter.branch,
        "branch_name": shelf.names.get(letter.branch, ""),
        "at": int(letter.id.partition("-")[0]) / 1000,
        "mail": mail.id if mail else None,
        "category": mail.header.category if mail else None,
        "attempts": letter.attempts,
        "reason": letter.reason,
        "error": letter.error,
        "detail": letter.detail,
    }


def names_of(exchange: Exchange, session: str, branches: Iterable[str]) -> dict[str, str]:
    """Return what branches of a session are called, and the session itself; those that are not there are left out."""
    from lion_broker.mail.checks import is_id
    from lion_broker.mail.verbs import ReadBranches

    ids = tuple(one for one in branches if is_id(one) and one != session)
    found = exchange.call(ReadBranches(session, ids)) if ids else ()
    return {session: "session", **{one.id: one.seed.name for one in found}}


def letter_records(exchange: Exchange, session: str | None) -> Iterator[SessionRecord]:
    """Yield a session, or without one all that have dead letters; raises ItemNotFoundError."""
    from lion_broker.mail.verbs import ListSessions

    if session is not None:
        yield from records_of(exchange, [session_id(exchange, session)])
        return
    yield from (one for one in records_of(exchange, exchange.call(ListSessions())) if one.counters["dead"])


def _shelf(exchange: Exchange, record: SessionRecord, wanted: LetterFilter, *, whole: bool) -> SessionLetters:
    from lion_broker.mail.records import START
    from lion_broker.mail.verbs import ReadBranches, ReadDead

    letters: list[DeadLetter] = []
    while page := exchange.call(ReadDead(record.id, letters[-1].id if letters else START, whole=whole)):
        letters += page
    branches = tuple({one.branch for one in letters if one.branch})
    names, behaviours = dict[str, str](), dict[str, str]()
    for first in range(0, len(branches), 1000):
        found = exchange.call(ReadBranches(record.id, branches[first : first + 1000]))
        names |= {one.id: one.seed.name for one in found}
        behaviours |= {one.id: one.seed.behaviour for one in found}
    chosen = [one for one in letters if wanted.fits(one, names, behaviours.get(one.branch, ""))]
    return SessionLetters(record.id, name_of(record), chosen, names)


def _named(found: Sequence[SessionLetters], ids: Sequence[str], *, many: bool) -> list[SessionLetters]:
    """The letters of some ids: their own, or those of their mails, or pieces of these."""
    chosen: dict[str, list[DeadLetter]] = {}
    for text in dict.fromkeys(ids):
        meant = [(shelf, one) for shelf in found for one in _meant(shelf, text)]
        if not meant:
            where = "No session has a" if many else "The session has no"
            raise ItemNotFoundError(f"{where} dead letter {text:.80}; `lion-broker dead ls` lists them.")
        if len(meant) > 1:
            raise ItemNotFoundError(
                f"{counted(len(meant), 'dead letter')} are meant by {text:.80}; name the session as well."
            )
        shelf, letter = meant[0]
        chosen.setdefault(shelf.session, []).append(letter)
    return [
        SessionLetters(one.session, one.name, chosen[one.session], one.names) for one in found if one.session in chosen
    ]


def _meant(shelf: SessionLetters, text: str) -> list[DeadLetter]:
    from lion_broker.insight.id_parts import matching_ids

    if is_letter(text):
        return [one for one in shelf.letters if one.id == text.strip()]
    by_mail = {one.mail.id: one for one in shelf.letters if one.mail is not None}
    return [by_mail[one] for one in matching_ids(list(by_mail), text)] if text.strip() else []
