"""The mail of a session as its logs tell it: read once, gone on with, and bounded however long the logs are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic_core import from_json

from lion_broker.branch.journal import Kind
from lion_broker.branch.turn_times import Attempt, End, TurnTimes, delivered_at, read_times
from lion_broker.errors import ItemNotFoundError, LionError
from lion_broker.mail.exchange import PAUSE, Steps, ask, together
from lion_broker.mail.records import BranchRecord, LogRecord, Stamp
from lion_broker.mail.verbs import ReadBranches, ReadLog, ReadSession
from lion_broker.mail.wire import Header, decode_header

from .preview import preview, preview_of

__all__ = ["MOST", "History", "LogReader", "Story"]

MOST: Final = 20_000
"""Mails that are kept in memory, about a kilobyte each; of more, the oldest go."""
_PAGE: Final = 200
_LAST_PLACE: Final = 2**53
_SHARED: Final = ("tool", "imodel")
"""Categories of mail by which a branch gets tools and models: what it was is known by what the branch has since."""
_TOGETHER: Final = 10
"""Logs that are read side by side: at most so many pages are in memory."""


@dataclass(slots=True)
class Story:
    """What is known of one mail. Times are seconds since the epoch by the exchange's clock, `sent` by the sender's.

    `done` says that it took effect, also where nobody has written down when it was `applied`. `posted` is when the
    sender's commit has let it go, `free` when the branch that worked at it had committed before:
    no attempt was begun earlier. `tried` are owners who had it and made no commit. `written` is where the mail itself
    stands in a log: branch, version and place.
    """

    mail: str
    sender: str = ""
    recipient: str = ""
    category: str = ""
    text: str = ""
    sent: float = 0.0
    posted: float | None = None
    delivered: float | None = None
    done: bool = False
    applied: float | None = None
    ended: float | None = None
    free: float = 0.0
    cause: str | None = None
    owner: str = ""
    tried: tuple[str, ...] = ()
    written: tuple[str, int, int] | None = None
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def is_aside(self) -> bool:
        """Whether its branch has set it aside, for somebody to receive it."""
        return not self.done and bool(self.attempts) and self.attempts[-1].end is End.ASIDE

    def know(self, header: Header) -> None:
        """Take note of the mail's own header."""
        self.sender, self.recipient, self.category = header.sender, header.recipient, header.category
        self.sent, self.cause = header.created, header.in_reply_to


class History:
    """The mail of one session; `read_steps` reads what is new in its logs, and may be called again and again.

    At most `most` mails are kept: the newest, or with `since` (an id, or the beginning of one) the first from there on.
    `edges` count all mail that was applied, by sender, recipient and category.
    """

    def __init__(self, session: str, *, most: int = MOST, since: str = "") -> None:
        self.session = session
        self.since = since
        self.names: dict[str, str] = {session: "session"}
        self.records: dict[str, BranchRecord] = {}
        self.stories: dict[str, Story] = {}
        self.edges: Counter[tuple[str, str, str]] = Counter()
        self.left_out = 0
        """Mails that are not kept because there were more than `most`."""
        self._most = most
        self._floor, self._ceiling = "", chr(0x10FFFF)
        self._readers: dict[str, LogReader] = {}

    def read_steps(self) -> Steps[None]:
        """Read what is new: who is in the session, and what the logs say. Raises ItemNotFoundError: no such session."""
        if (yield from ask(ReadSession(self.session))) is None:
            raise ItemNotFoundError(f"There is no session {self.session}; `lion-broker session ls` lists all.")
        yield from self._read_branches_steps()
        asked: set[str] = set()
        while new := self._unread() - asked:
            asked |= new
            behind = [self._readers.setdefault(branch, LogReader(self, branch)) for branch in sorted(new)]
            for first in range(0, len(behind), _TOGETHER):
                yield from together([reader.read_steps() for reader in behind[first : first + _TOGETHER]])
            # A log may tell of branches that were removed since.
            yield from self._read_removed_steps()

    def story(self, mail: str) -> Story | None:
        """The story of a mail, begun if it is new; None when it is before what is asked for, or there is no room."""
        found = self.stories.get(mail)
        if found is not None or mail[: len(self.since)] < self.since:
            return found
        if not self._floor <= mail <= self._ceiling:
            return None
        found = self.stories[mail] = Story(mail)
        if len(self.stories) > self._most * 5 // 4:
            self._make_room()
        return found

    def pending(self, mail: str) -> Story | None:
        """The story of a mail that stands somewhere: it is kept although it is older than the newest `most`.

        What is not done is what is asked about most, however much came after it; who calls this bounds how many.
        """
        if mail[: len(self.since)] < self.since or mail > self._ceiling:
            return self.stories.get(mail)
        return self.stories.setdefault(mail, Story(mail))

    def _make_room(self) -> None:
        """Let the oldest go, or where all from some point on are wanted, the newest; ids are in order of time."""
        mails = sorted(self.stories)
        kept = mails[: self._most] if self.since else mails[-self._most :]
        self._floor, self._ceiling = (self._floor, kept[-1]) if self.since else (kept[0], self._ceiling)
        self.left_out += len(mails) - len(kept)
        self.stories = {mail: self.stories[mail] for mail in kept}

    def knows_end_of(self, story: Story) -> bool:
        """Whether everything was read that could tell what became of a mail."""
        return True

    def name_of(self, branch: str) -> str:
        """What a person knows a branch by."""
        return self.names.get(branch) or branch

    def caused_by(self) -> dict[str, list[Story]]:
        """The mails that were sent while another one was handled, by its id, in the order of sending."""
        found: dict[str, list[Story]] = {}
        for story in self.stories.values():
            if story.cause:
                found.setdefault(story.cause, []).append(story)
        for stories in found.values():
            stories.sort(key=lambda one: one.mail)
        return found

    def _unread(self) -> set[str]:
        """Branches whose logs have more than was read; the session's own place has no record in the roster."""
        return {
            branch
            for branch, record in self.records.items()
            if (reader := self._readers.get(branch)) is None or reader.version < record.version
        }

    def _read_branches_steps(self) -> Steps[None]:
        self._note((yield from ask(ReadBranches(self.session, (self.session,)))))
        open_before = {branch for branch, record in self.records.items() if record.state == "open"}
        start = 0
        while page := (yield from ask(ReadBranches(self.session, start=start))):
            self._note(page)
            open_before -= {record.id for record in page}
            start += len(page)
            yield PAUSE
        # What was open and is not in the roster any more was removed.
        gone = sorted(open_before - {self.session})
        for first in range(0, len(gone), 1000):
            self._note((yield from ask(ReadBranches(self.session, tuple(gone[first : first + 1000])))))

    def _read_removed_steps(self) -> Steps[None]:
        ends = {end for story in self.stories.values() for end in (story.sender, story.recipient)}
        unknown = sorted(ends - self.names.keys() - {""})
        for first in range(0, len(unknown), 1000):
            part = unknown[first : first + 1000]
            # What nobody knows is not asked for again.
            self.names.update(dict.fromkeys(part, ""))
            self._note((yield from ask(ReadBranches(self.session, tuple(part)))))

    def _note(self, records: Iterable[BranchRecord]) -> None:
        for record in records:
            self.records[record.id] = record
            if record.id != self.session:
                self.names[record.id] = record.seed.name


class LogReader:
    """Reads one log into a history, after a version and up to one; a version may lie on two pages.

    `version` is where it stands, `taken` how many records it has read. `since` is when the first of them was written,
    `reached` when the mail that the first turns handled had been delivered.
    """

    def __init__(self, history: History, branch: str, after: int = 0, upto: int | None = None) -> None:
        self._history = history
        self._branch = branch
        self._upto = upto
        self._earlier: Counter[str] = Counter()
        self.taken = 0
        self.since: float | None = None
        self.reached: float | None = None
        self.version = after
        self._place = _LAST_PLACE if after else 0
        self._stamp: Stamp | None = None
        self._before = 0.0
        self._times: TurnTimes | None = None
        self._came: Iterator[float | None] = iter(())
        self._shared: list[str] = []
        """What the branch has got by the mail that the next record names: tools, or a model."""

    def read_steps(self) -> Steps[None]:
        """Read what is new in the log."""
        while True:
            page = yield from ask(ReadLog(self._history.session, self._branch, self.version, self._place, _PAGE))
            for row in page:
                if self._upto is not None and row.version > self._upto:
                    return
                self.taken += 1
                if row.version != self.version:
                    self._begin(row)
                self.version, self._place = row.version, row.place
                try:
                    self._take(row)
                except (LionError, ValueError, TypeError, LookupError, AttributeError):
                    # Something else wrote it; a history without one record is better than none.
                    continue
            if len(page) < _PAGE:
                return
            yield PAUSE

    @property
    def _at(self) -> float | None:
        return self._stamp.at / 1000 if self._stamp else None

    def _begin(self, row: LogRecord) -> None:
        self._before = self._at or self._before
        self._stamp, self._times, self._came, self._shared = row.stamp, None, iter(()), []
        self.since = self._at if self.since is None else self.since
        if self.reached is None and row.stamp is not None:
            self.reached = delivered_at(row.stamp.consumed)

    def _take(self, row: LogRecord) -> None:
        record = row.record
        if record.kind == Kind.TIMES:
            self._times = read_times(record.body)
            self._came = iter(self._times.came)
            for attempt in self._times.attempts:
                self._tried(attempt)
        elif record.kind == Kind.MAIL:
            header = decode_header(record.head)
            if (story := self._applied(header.id, header.sender, header.category)) is not None:
                story.know(header)
                story.text = story.text or preview_of(record.body)
                story.written = (self._branch, row.version, row.place)
            self._shared = []
        elif record.kind == Kind.TOOK:
            self._took(from_json(record.body))
            self._shared = []
        elif record.kind in (Kind.TOOL, Kind.MODEL):
            self._shared += _name_in(from_json(record.body))
        elif record.kind == Kind.SENT:
            for mail, recipient, category in from_json(record.body)["mails"]:
                self._sent(mail, recipient, category)

    def _tried(self, attempt: Attempt) -> None:
        story = self._history.story(attempt.mail)
        if story is not None:
            if self._upto is not None and self._is_earlier(story, attempt):
                return
            story.attempts.append(attempt)
            # A dead letter that is sent again is delivered again; the mail was on its way only once.
            story.delivered = min(filter(None, (delivered_at(attempt.entry), story.delivered)), default=None)
            story.free = self._before
            story.ended = self._at
            story.recipient = story.recipient or self._branch
            if self._stamp is not None:
                story.owner = self._stamp.owner
                story.tried = self._stamp.owners[:-1] if attempt.number > 1 else ()

    def _is_earlier(self, story: Story, attempt: Attempt) -> bool:
        """Put an attempt before those that were read already, since the log's end was; says whether there are any."""
        place = self._earlier[attempt.mail]
        self._earlier[attempt.mail] += 1
        if place == len(story.attempts):
            return False
        story.attempts.insert(place, attempt)
        return True

    def _took(self, body: dict[str, object]) -> None:
        mail = body["mail"]
        sender, category = str(body.get("sender", "")), str(body["category"])
        if isinstance(mail, str) and mail and (story := self._applied(mail, sender, category)) is not None:
            story.recipient, story.category = story.recipient or self._branch, category
            story.sender = sender or story.sender
            if category in _SHARED:
                story.text = story.text or preview(", ".join(self._shared))
            created, cause = body.get("created"), body.get("cause")
            story.sent = created if isinstance(created, float) else story.sent
            story.cause = cause if isinstance(cause, str) else story.cause

    def _applied(self, mail: str, sender: str, category: str) -> Story | None:
        """Take note that a mail took effect."""
        story = self._history.story(mail)
        sender = sender or (story.sender if story else "")
        if sender:
            self._history.edges[(sender, self._branch, category)] += 1
        delivered = next(self._came, None)
        if story is not None:
            story.done, story.applied, story.recipient = True, self._at, story.recipient or self._branch
            if self._stamp is not None:
                story.owner = self._stamp.owner
                if self._times is None and self._stamp.consumed:
                    delivered = delivered_at(self._stamp.consumed)
            story.delivered = story.delivered or delivered
        return story

    def _sent(self, mail: str, recipient: str, category: str) -> None:
        story = self._history.story(mail)
        if story is not None:
            story.sender, story.recipient, story.category = self._branch, recipient, category
            story.posted = self._at


def _name_in(body: dict[str, Any]) -> list[str]:
    """What a person knows a tool or a model by, of the record of either."""
    settings = body.get("settings")
    names = (body.get("name"), body.get("ref"), settings.get("model") if isinstance(settings, dict) else None)
    return [name for name in names if isinstance(name, str) and name][:1]
