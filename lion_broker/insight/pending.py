"""Mail that is not done: where it waits, and what has become a dead letter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from dataclasses import dataclass
from typing import Final

from lion_broker.mail.exchange import PAUSE, Steps, ask, together
from lion_broker.mail.records import START, BranchRecord, DeadLetter, is_after
from lion_broker.mail.verbs import ReadDead, ReadSession, ReadWaiting
from lion_broker.mail.waiting import Waiting, WaitsAt
from lion_broker.mail.wire import WireMail

from .history import History, Story
from .preview import preview_of

__all__ = ["Dead", "PendingMail", "Waits"]

_PAGE: Final = 200
_TOGETHER: Final = 20
_NEAR_MS: Final = 10
"""Between what a commit says of its time and the entries that it makes may lie so much."""
_LOOKS: Final = 50


@dataclass(frozen=True, slots=True)
class Waits:
    """Where a mail waits, and until when if it is for a time; `held` says that a worker has it in hand.

    `since` is when that worker said first that it is at it; `expires` is by when it must be taken up, where its sender
    has said so.
    `attempts` counts those that were begun, the present one included; `tried` are workers that had it and are gone.
    `place` and `lane` are its own at that station.
    """

    where: WaitsAt
    branch: str
    due: float | None = None
    held: bool = False
    attempts: int = 0
    tried: tuple[str, ...] = ()
    place: str = ""
    lane: str = ""
    expires: float | None = None
    since: float | None = None


@dataclass(frozen=True, slots=True)
class Dead:
    """What is known of a dead letter: its id, when it became one, why, after how many attempts, and by whom."""

    letter: str
    at: float
    reason: str
    detail: str
    error: str
    attempts: int
    owners: tuple[str, ...]
    branch: str


class PendingMail:
    """What waits and what is dead in a session, when it was read last; what it finds joins the history.

    At most `most` mails of each are looked at; `left_out` says that there are more.
    """

    def __init__(self, history: History, most: int) -> None:
        self.waits: dict[str, Waits] = {}
        self.dead: dict[str, Dead] = {}
        self.left_out = False
        self._history = history
        self._most = most

    def read_steps(self) -> Steps[None]:
        """Read where mail waits now, and the dead letters."""
        self.waits, self.dead, self.left_out = {}, {}, False
        session = yield from ask(ReadSession(self._history.session))
        rounds = session is not None and session.fields.get("delivery") == "manual"
        stations = [one for record in self._history.records.values() for one in _stations_of(record, rounds)]
        for first in range(0, len(stations), _TOGETHER):
            if self._is_full(self.waits):
                self.left_out = True
                break
            part = stations[first : first + _TOGETHER]
            yield from together([self._waiting_steps(record, where) for record, where in part])
        yield from self._dead_steps()

    def look_steps(self, stories: Iterable[Story]) -> Steps[None]:
        """Look for mails that were not among those at which was looked: each waits behind what was delivered before it.

        The entries of a mailbox tell when it got them, so one is begun to be read where the first of them must be.
        """
        wanted: dict[str, list[Story]] = {}
        for story in stories:
            record = self._history.records.get(story.recipient)
            if story.posted is not None and record is not None and record.waiting:
                wanted.setdefault(story.recipient, []).append(story)
        for branch, those in wanted.items():
            yield from self._look_in_steps(self._history.records[branch], those)

    def _look_in_steps(self, record: BranchRecord, stories: list[Story]) -> Steps[None]:
        first, last = (round(edge(one.posted or 0.0 for one in stories) * 1000) for edge in (min, max))
        after = f"{max(0, first - _NEAR_MS)}-0"
        for _ in range(_LOOKS):
            page = yield from ask(ReadWaiting(self._history.session, record.id, WaitsAt.MAILBOX, after, "", _PAGE))
            for one in page:
                self._found(record, WaitsAt.MAILBOX, one, first=False)
            if not page or int(page[-1].place.partition("-")[0]) > last + _NEAR_MS:
                return
            after = page[-1].place
            yield PAUSE

    def _is_full(self, found: Sized) -> bool:
        return len(found) >= self._most and not self._history.since

    def _waiting_steps(self, record: BranchRecord, where: WaitsAt) -> Steps[None]:
        after, lane = START, ""
        while True:
            page = yield from ask(ReadWaiting(self._history.session, record.id, where, after, lane, _PAGE))
            for place, one in enumerate(page):
                self._found(record, where, one, first=after == START and place == 0)
            if not page or self._is_full(self.waits):
                self.left_out = self.left_out or bool(page)
                return
            after, lane = page[-1].place, page[-1].lane
            yield PAUSE

    def _found(self, record: BranchRecord, where: WaitsAt, one: Waiting, *, first: bool) -> None:
        if not isinstance(one.mail, WireMail):
            return
        header = one.mail.header
        # Its worker is at the first one, or at the one that it has named.
        at_work = (first and where is WaitsAt.MAILBOX) or header.id == record.at
        held = at_work and record.leased and not record.stopped
        story = self._history.pending(header.id)
        if story is None:
            return
        story.know(header)
        story.text = story.text or preview_of(one.mail.body)
        if where in (WaitsAt.MAILBOX, WaitsAt.INBOX, WaitsAt.LANES):
            story.delivered = int(one.place.partition("-")[0]) / 1000
        attempts, tried = one.attempts, tuple[str, ...]()
        if first and where is WaitsAt.MAILBOX and not is_after(one.place, record.handed):
            # Nobody has written these attempts down: a commit would have, and there was none. What is given out with
            # its mark counts from then on, and nobody has it before somebody has read the mark.
            tried = record.tried_by
            attempts = record.tries if record.owner else len(tried)
            tried = (*tried, record.owner) if attempts and record.owner and not held else tried
        due = one.due / 1000 if one.due else None
        since = record.at_since / 1000 if held and header.id == record.at else None
        if since is not None:
            # No mark or lane counts the first attempt at a mail behind others of its turn.
            attempts = max(attempts, 1)
        self.waits[header.id] = Waits(
            where, record.id, due, held, attempts, tried, one.place, one.lane, _end_of(one, where), since
        )

    def _dead_steps(self) -> Steps[None]:
        after = START
        while True:
            page = yield from ask(ReadDead(self._history.session, after, _PAGE))
            for letter in page:
                self._buried(letter)
            if not page or self._is_full(self.dead):
                self.left_out = self.left_out or bool(page)
                return
            after = page[-1].id
            yield PAUSE

    def _buried(self, letter: DeadLetter) -> None:
        # A copy of a mail that has taken effect is no end of that mail.
        if letter.mail is None or letter.reason == "duplicate":
            return
        story = self._history.pending(letter.mail.id)
        if story is None:
            return
        story.know(letter.mail.header)
        story.text = story.text or preview_of(letter.mail.body)
        self.dead[letter.mail.id] = Dead(
            letter.id,
            int(letter.id.partition("-")[0]) / 1000,
            letter.reason,
            letter.detail,
            letter.error,
            letter.attempts,
            letter.owners,
            letter.branch,
        )


def _end_of(one: Waiting, where: WaitsAt) -> float | None:
    """By when a mail must be taken up: it counts from when it came to where it can be."""
    if not isinstance(one.mail, WireMail) or one.mail.header.ttl is None:
        return None
    if where not in (WaitsAt.MAILBOX, WaitsAt.INBOX):
        return None
    return int(one.place.partition("-")[0]) / 1000 + one.mail.header.ttl


def _stations_of(record: BranchRecord, rounds: bool) -> Iterator[tuple[BranchRecord, WaitsAt]]:
    """The stations of a branch at which anything may wait."""
    counts = {
        WaitsAt.MAILBOX: record.waiting,
        WaitsAt.INBOX: record.inbox,
        WaitsAt.OUTBOX: record.outbox,
        WaitsAt.LANES: record.deferred,
        WaitsAt.DELAYED: record.delayed,
        # Nobody counts it, and only a session that moves its mail itself has any.
        WaitsAt.TRANSIT: int(rounds and record.state == "open"),
    }
    return ((record, where) for where, count in counts.items() if count)
