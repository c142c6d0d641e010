"""Dead letters taken up again: sent once more as they are or edited, or dropped for good."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from lion_broker.branch.directory import gone
from lion_broker.branch.items import encode_item
from lion_broker.branch.journal import Kind
from lion_broker.core.ids import IDType
from lion_broker.errors import BranchClosed, ConfigError, ItemNotFoundError, MailboxFull, MailMalformed
from lion_broker.mail.exchange import Steps, ask
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.package import PackageCategory
from lion_broker.mail.records import START, DeadLetter
from lion_broker.mail.verbs import Drop, Exhume, ReadDead, ReadLog, ReadSession
from lion_broker.mail.wire import Header, WireMail, decode_header

from .state import SessionState

__all__ = ["Retried", "drop_steps", "edit_steps", "letter_steps", "lineage_steps", "retry_steps"]

_PIECE = 100
_DEEPEST = 100
_WHY = {
    Outcome.UNKNOWN: "there is no such letter any more, or its branch never was",
    Outcome.CLOSED: "its branch was removed",
    Outcome.FULL: "the mailbox of its branch is full",
}


@dataclass(frozen=True, slots=True)
class Retried:
    """What became of dead letters: how many are on their way (or were dropped), and why the others stay, by id."""

    count: int
    left: dict[str, str] = field(default_factory=dict)


def letter_steps(state: SessionState) -> Steps[list[DeadLetter]]:
    """Read all dead letters of the session, oldest first."""
    found: list[DeadLetter] = []
    while page := (yield from ask(ReadDead(state.session, found[-1].id if found else START))):
        found += page
    return found


def lineage_steps(state: SessionState, letter: DeadLetter) -> Steps[list[Header]]:
    """Find the mails that led to a letter, the nearest first: each was being handled when the next was sent.

    They are found in the logs of the branches that handled them; what left no header there ends the search.
    """
    found: list[Header] = []
    header = letter.mail.header if letter.mail else None
    while header is not None and header.in_reply_to and len(found) < _DEEPEST:
        header = yield from _handled_steps(state, header.sender, header.in_reply_to)
        found += [header] if header else []
    return found


def _handled_steps(state: SessionState, branch: str, mail: str) -> Steps[Header | None]:
    """The header of a mail that a branch has taken into its history, if it has."""
    at = (0, 0)
    while page := (yield from ask(ReadLog(state.session, branch, *at))):
        for row in page:
            if row.record.kind == Kind.MAIL and (header := decode_header(row.record.head)).id == mail:
                return header
        at = (page[-1].version, page[-1].place)
    return None


def retry_steps(state: SessionState, letters: Any) -> Steps[Retried]:
    """Send letters again, all when None, oldest first, in bounded pieces."""
    return (yield from _in_pieces(state, letters, lambda piece: Exhume(state.session, piece)))


def drop_steps(state: SessionState, letters: Any) -> Steps[Retried]:
    """Drop letters, all when None."""
    return (yield from _in_pieces(state, letters, lambda piece: Drop(state.session, piece)))


def _in_pieces(state: SessionState, letters: Any, verb_of: Any) -> Steps[Retried]:
    yield from _session_there(state)
    chosen = tuple(one.id for one in (yield from letter_steps(state))) if letters is None else _ids_of(letters)
    count, left = 0, dict[str, str]()
    for first in range(0, len(chosen), _PIECE):
        piece = chosen[first : first + _PIECE]
        words: Sequence[Outcome] = yield from ask(verb_of(piece))
        for letter, word in zip(piece, words, strict=True):
            if word is Outcome.OK:
                count += 1
            else:
                left[letter] = _WHY[word]
    return Retried(count, left)


def edit_steps(state: SessionState, letter: Any, item: Any) -> Steps[None]:
    """Send another item instead of what a letter holds; the mail has a new id and names the old one as its cause.

    Raises ItemNotFoundError, BranchClosed, MailboxFull, and MailMalformed for a letter that is no mail.
    """
    yield from _session_there(state)
    (wanted,) = _ids_of(letter)
    found = next((one for one in (yield from letter_steps(state)) if one.id == wanted), None)
    if found is None:
        raise ItemNotFoundError(
            f"There is no dead letter {wanted} in the session (any more); `lion-broker dead ls` lists them."
        )
    if found.mail is None:
        raise MailMalformed(f"The dead letter {wanted} is no mail that could be edited; drop it, or send a new mail.")
    verb = Exhume(state.session, (wanted,), ((wanted, (yield from _edited_steps(state, found.mail, item))),))
    (word,) = yield from ask(verb)
    if word is not Outcome.OK:
        kind = {Outcome.CLOSED: BranchClosed, Outcome.FULL: MailboxFull}.get(word, ItemNotFoundError)
        raise kind(f"The dead letter {wanted} stays where it is: {_WHY[word]}.")


def _edited_steps(state: SessionState, mail: WireMail, item: Any) -> Steps[WireMail]:
    header = mail.header
    place = yield from state.context.directory.locate_steps(IDType(header.recipient))
    body = encode_item(PackageCategory(header.category), item, None, place.pool, state.context.objects)
    return WireMail(header._replace(id=IDType.create(), in_reply_to=header.id), body)


def _session_there(state: SessionState) -> Steps[None]:
    if (yield from ask(ReadSession(state.session))) is None:
        raise gone(state.session)


def _ids_of(letters: Any) -> tuple[str, ...]:
    many: Iterable[Any] = [letters] if isinstance(letters, (str, DeadLetter)) else letters
    try:
        ids = tuple(one.id if isinstance(one, DeadLetter) else one for one in many)
    except TypeError:
        raise ConfigError(f"Dead letters are named by themselves or their ids, not by {letters!r:.80}.") from None
    if odd := [one for one in ids if not isinstance(one, str)]:
        raise ConfigError(f"A dead letter is named by itself or its id, not by {odd[0]!r:.80}.")
    return ids
