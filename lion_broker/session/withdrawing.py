"""Mail that waits is found, and withdrawn before anybody handles it: it becomes a dead letter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import groupby
from operator import attrgetter
from secrets import token_hex
from typing import Any, Final

from pydantic_core import to_json

from lion_broker.branch.directory import gone
from lion_broker.core.ids import ID, IDType
from lion_broker.core.portable import readable
from lion_broker.errors import ConfigError, OperationCancelled
from lion_broker.insight.preview import preview_of
from lion_broker.mail.exchange import PAUSE, Steps, ask, together
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.package import PackageCategory
from lion_broker.mail.records import START, BranchRecord, is_after
from lion_broker.mail.verbs import ReadBranches, ReadDead, ReadSession, ReadWaiting, Withdraw, WriteAudit
from lion_broker.mail.waiting import Waiting, WaitsAt, Withdrawal
from lion_broker.mail.wire import Header, WireMail

from .state import SessionState

__all__ = [
    "Removal",
    "TakenOut",
    "WaitingMail",
    "held_steps",
    "ids_of",
    "note_steps",
    "pieces_steps",
    "take_out_steps",
    "told_of",
    "waiting_steps",
    "why_steps",
    "withdraw_steps",
]

_PIECE: Final = 100
_PAGE: Final = 200
_BRANCHES: Final = 1000
_TOGETHER: Final = 20
_ROUNDS: Final = 3
"""How often a mail is looked for again that has moved on to another station meanwhile."""
_LONGEST: Final = 500


class Removal(StrEnum):
    """What is done to mail, as letters tell it: what waits is withdrawn, what a worker has in hand stopped."""

    WITHDRAW = "Withdrawn"
    STOP = "Stopped"


@dataclass(frozen=True, slots=True)
class WaitingMail:
    """A mail that waits: where, at which branch's station, until when (seconds since the epoch) if it is for a time.

    `held` says that a worker has it in hand, as far as can be seen from outside.
    """

    mail: str
    home: str
    where: WaitsAt
    place: str
    lane: str
    header: Header
    text: str
    due: float | None
    held: bool

    def named(self) -> Withdrawal:
        """The mail as the exchange finds it."""
        return Withdrawal(self.mail, self.where, self.place, self.lane, self.header.reply_to or "")


@dataclass(frozen=True, slots=True)
class TakenOut:
    """What became of mails that were to be withdrawn: the dead letter of each, by its id, and why the others stay."""

    letters: dict[str, str] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many were withdrawn."""
        return len(self.letters)


def waiting_steps(session: str, recipient: str = "", category: str = "") -> Steps[list[WaitingMail]]:
    """Read what waits in a session: all, or mail to one branch, or of one category; in the order of its stations."""
    record = yield from ask(ReadSession(session))
    rounds = record is not None and record.fields.get("delivery") == "manual"
    stations: list[tuple[BranchRecord, WaitsAt]] = []
    # Where mail moves at once nothing to a branch waits but at its own stations.
    ids = (recipient,) if recipient and not rounds else None
    start = 0
    while page := (yield from ask(ReadBranches(session, ids, start, _BRANCHES))):
        stations += [one for branch in page for one in _stations_of(branch, rounds)]
        start += len(page)
        if ids:
            break
    if ids is None:
        own = yield from ask(ReadBranches(session, (session,)))
        stations += [one for branch in own for one in _stations_of(branch, rounds)]
    found: list[WaitingMail] = []
    for first in range(0, len(stations), _TOGETHER):
        pages = yield from together([_station_steps(session, *one) for one in stations[first : first + _TOGETHER]])
        found += [one for rows in pages for one in rows]
    return [one for one in found if recipient in ("", one.header.recipient) and category in ("", one.header.category)]


def _stations_of(branch: BranchRecord, rounds: bool) -> Iterator[tuple[BranchRecord, WaitsAt]]:
    """The stations of a branch at which anything may wait."""
    counts = {
        WaitsAt.LANES: branch.deferred,
        WaitsAt.MAILBOX: branch.waiting,
        WaitsAt.INBOX: branch.inbox,
        # Nobody counts what was collected.
        WaitsAt.TRANSIT: int(rounds and branch.state == "open"),
        WaitsAt.OUTBOX: branch.outbox,
        WaitsAt.DELAYED: branch.delayed,
    }
    return ((branch, where) for where, count in counts.items() if count)


def held_steps(session: str, branch: BranchRecord) -> Steps[list[WaitingMail]]:
    """Read what the worker of a branch has in hand: the beginning of its mailbox, or of a lane."""
    if not branch.leased or branch.stopped:
        return []
    found = yield from _station_steps(session, branch, WaitsAt.MAILBOX, branch.handed)
    if branch.lane:
        found += yield from _station_steps(session, branch, WaitsAt.LANES)
    return [one for one in found if one.held]


def _station_steps(session: str, branch: BranchRecord, where: WaitsAt, upto: str = "") -> Steps[list[WaitingMail]]:
    found: list[WaitingMail] = []
    after, lane = START, ""
    while page := (yield from ask(ReadWaiting(session, branch.id, where, after, lane, _PAGE))):
        found += (_standing(branch, where, row, row.mail) for row in page if isinstance(row.mail, WireMail))
        after, lane = page[-1].place, page[-1].lane
        if upto and not is_after(upto, after):
            break
        yield PAUSE
    return found


def _standing(branch: BranchRecord, where: WaitsAt, row: Waiting, mail: WireMail) -> WaitingMail:
    given = {
        WaitsAt.MAILBOX: not is_after(row.place, branch.handed),
        WaitsAt.LANES: row.lane == branch.lane,
    }
    held = branch.leased and not branch.stopped and given.get(where, False)
    due = row.due / 1000 if row.due else None
    text = preview_of(mail.body)
    return WaitingMail(mail.id, branch.id, where, row.place, row.lane, mail.header, text, due, held)


def withdraw_steps(
    state: SessionState, mails: Any, branch: ID.Ref | None, category: str, reason: str, by: str
) -> Steps[TakenOut]:
    """Withdraw mails of an open session; what its own branches have sent is stored before it is looked for."""
    chosen = yield from state.chosen_steps(branch)
    yield from state.flush_steps()
    owner = by or f"a program ({state.context.owner})"
    done = yield from take_out_steps(state.session, mails, chosen[0] if chosen else "", category, reason, owner)
    state.local_branches.let_go([pair for pair in state.local_branches.outgoing() if pair[1].id in done.letters])
    return done


def take_out_steps(
    session: str, mails: Any, recipient: str = "", category: str = "", reason: str = "", by: str = ""
) -> Steps[TakenOut]:
    """Withdraw mails of a session that are named, or (None) all that wait for a branch or are of a category.

    Written down in the audit, as done by `by`, before it is done. Raises ConfigError, ItemNotFoundError.
    """
    if category and category not in set(PackageCategory):
        raise ConfigError(f"There is no category {category!r:.80}; there are {', '.join(PackageCategory)}.")
    if (yield from ask(ReadSession(session))) is None:
        raise gone(session)
    wanted = None if mails is None else ids_of(mails)
    who, why, told = told_of(Removal.WITHDRAW, by, reason)
    found = yield from waiting_steps(session, recipient, category)
    chosen = [one for one in found if wanted is None or one.mail in wanted]
    if chosen:
        yield from note_steps(Removal.WITHDRAW, session, who, chosen, why)
    done = TakenOut()
    for _ in range(_ROUNDS):
        moved = yield from pieces_steps(Removal.WITHDRAW, session, chosen, told, done)
        if not moved:
            break
        # It has gone on to another station since it was read, or has been handled.
        found = yield from waiting_steps(session, recipient, category)
        chosen = [one for one in found if one.mail in moved]
    missing = [one for one in wanted or () if one not in done.letters and one not in done.left]
    done.left.update((yield from why_steps(session, missing)))
    return done


def told_of(removal: Removal, by: str, reason: str) -> tuple[str, str, str]:
    """Who does it and why, and the sentence that tells both, as texts that may be shown."""
    who = readable(by, _LONGEST) or "a program"
    why = readable(reason.strip().rstrip("."), _LONGEST)
    return who, why, f"{removal} by {who}{f': {why}' if why else ''}."


def note_steps(removal: Removal, session: str, who: str, chosen: Sequence[WaitingMail], why: str) -> Steps[None]:
    """Write into the audit which mails are to be taken out."""
    ids = ", ".join(one.mail for one in chosen[:20])
    detail = f"{len(chosen)}: {ids}{' …' if len(chosen) > 20 else ''}{f' ({why})' if why else ''}"
    what = "stop mail" if removal is Removal.STOP else "withdraw mail"
    yield from ask(WriteAudit(who, what, f"session {session}", nonce=IDType.create(), detail=detail))


def pieces_steps(
    removal: Removal, session: str, chosen: Iterable[WaitingMail], told: str, done: TakenOut, *, held: bool = False
) -> Steps[set[str]]:
    """Withdraw or stop, a hundred mails of a branch a call; returns those that were not where they had been read.

    With `held` those as well that a worker has in hand by now.
    """
    moved: set[str] = set()
    answer = to_json({"ok": False, "error": {"class": OperationCancelled.__name__, "message": told}})
    for home, group in groupby(chosen, attrgetter("home")):
        mails = list(group)
        for first in range(0, len(mails), _PIECE):
            piece = mails[first : first + _PIECE]
            named = tuple(one.named() for one in piece)
            verb = Withdraw(session, home, named, told, answer, token_hex(8), stop=removal is Removal.STOP)
            words = yield from ask(verb)
            for one, word in zip(piece, words, strict=True):
                if word.outcome is Outcome.OK:
                    done.letters[one.mail] = word.letter
                elif word.outcome is Outcome.UNKNOWN or (
                    held and word.outcome is Outcome.HELD and one.where is not WaitsAt.INBOX
                ):
                    moved.add(one.mail)
                else:
                    done.left[one.mail] = _why(session, one, word.outcome)
    return moved - done.letters.keys()


def _why(session: str, one: WaitingMail, word: Outcome) -> str:
    if word is Outcome.CLOSED:
        return f"its branch was removed: `lion-broker dead ls {session}` lists what waited for it"
    if one.where is WaitsAt.INBOX:
        return "the program that has its branch open may have read it; it can be withdrawn when that program has gone"
    return f"a worker has it in hand: `lion-broker mail stop {one.mail} --session {session}` stops it"


def why_steps(session: str, missing: Sequence[str]) -> Steps[dict[str, str]]:
    """What is known of mails that do not wait: they are dead letters already, or were handled, or never were."""
    left = {
        one: f"it does not wait here: it was handled, or there is no such mail; `lion-broker mail show {one:.80}` tells"
        for one in missing
    }
    after = START
    while missing and (page := (yield from ask(ReadDead(session, after)))):
        for letter in page:
            if letter.mail is not None and letter.mail.id in left:
                told = f"it is a dead letter already ({letter.reason}): `lion-broker dead show {session} {letter.id}`"
                left[letter.mail.id] = told
        after = page[-1].id
    return left


def ids_of(mails: Any) -> dict[str, None]:
    """The ids of mails that are given as themselves or by id, each once."""
    many: Iterable[Any] = [mails] if isinstance(mails, str) or hasattr(mails, "id") else mails
    try:
        ids = [one if isinstance(one, str) else getattr(one, "id", None) for one in many]
    except TypeError:
        raise ConfigError(f"Mails are named by themselves or their ids, not by {mails!r:.80}.") from None
    if odd := [one for one in ids if not isinstance(one, str) or not one]:
        raise ConfigError(f"A mail is named by itself or its id, not by {odd[0]!r:.80}.")
    return dict.fromkeys(map(str, ids))
