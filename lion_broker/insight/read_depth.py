"""How far back the logs of a large session are read: as far as what is asked for reaches, and no further."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import inf
from typing import Final

from lion_broker.mail.exchange import Steps, ask
from lion_broker.mail.records import SessionRecord
from lion_broker.mail.verbs import ReadSession

from .history import MOST, History, Story
from .id_parts import begins, matching_ids, ms_of
from .passages import Passages
from .recent import RecentHistory

__all__ = ["APART_SECONDS", "SLACK_SECONDS", "is_whole", "mail_steps", "newest_steps"]

Enough = Callable[[RecentHistory, Passages], bool]

SLACK_SECONDS: Final = 60.0
"""Clocks of senders differ from the server's."""
APART_SECONDS: Final = 0.1
"""So far apart they may be for a list to have the newest mails in order."""
_KEPT: Final = MOST
_LARGE: Final = 5_000
"""Of a session with fewer mails the logs are read whole: that is less than looking how far back to go."""
_PENDING: Final = 2_000
"""Where more mail stands somewhere, reading that again and again would cost more than the logs do."""
_STRETCHES: Final = (2_000, 12_000)
"""So many records of logs are read before it is looked whether that is enough; each stretch begins anew."""
_SURE_END: Final = 8
"""The end of an id that is so long is taken for the only one: of 50,000 mails one in 100,000 has it too."""


def newest_steps(session: str, enough: Enough) -> Steps[Passages]:
    """Read the newest mail of a session until it is `enough`; at last all of it that is kept in mind.

    Where mail stands is read in any case. Raises ItemNotFoundError when there is no such session.
    """
    for history in _stretches(session, (yield from ask(ReadSession(session)))):
        passages = Passages(session, history=history)
        yield from passages.read_steps()
        if not history.cut or enough(history, passages):
            return passages
        if history.told_from() == inf:
            break
    passages = Passages(session, most=_KEPT)
    yield from passages.read_steps()
    return passages


def mail_steps(session: str, mail: str, *, by_time: bool = False) -> Steps[Passages]:
    """Read a session as far as to know what has become of a mail, given by a piece of its id, and of what it led to.

    With `by_time` a mail is looked for only where it is by the time that begins its id, which its sender's clock has
    told: one that is far off may be missed. Raises ItemNotFoundError when there is no such session.
    """
    wanted = mail.strip().strip("…").lower()

    def enough(history: RecentHistory, passages: Passages) -> bool:
        meant = matching_ids(list(history.stories), mail)
        if by_time and not meant and ms_of(wanted) / 1000 - SLACK_SECONDS > history.told_from():
            return True
        known = begins(wanted) or len(wanted) >= _SURE_END
        return known and bool(meant) and all(_is_known(history, history.stories[one]) for one in meant)

    found = yield from newest_steps(session, enough)
    if found.history.left_out and not matching_ids(list(found.history.stories), mail):
        # Of very many mails the newest are kept; what begins an id says from where on they are to be.
        since = wanted if begins(wanted) else (yield from _first_with_steps(session, wanted))
        if since:
            found = Passages(session, since=since)
            yield from found.read_steps()
    return found


class _Ending(History):
    """Keeps the mails whose ids end so, and no others."""

    def __init__(self, session: str, end: str) -> None:
        super().__init__(session)
        self._end = end

    def story(self, mail: str) -> Story | None:
        return super().story(mail) if mail.endswith(self._end) else None


def _first_with_steps(session: str, end: str) -> Steps[str]:
    """The first mail of a session whose id ends so; an empty text without any."""
    history = _Ending(session, end)
    yield from history.read_steps()
    return min(history.stories, default="")


def is_whole(passages: Passages) -> bool:
    """Whether logs were read from their beginning."""
    return not isinstance(passages.history, RecentHistory) or not passages.history.cut


def _stretches(session: str, record: SessionRecord | None) -> Iterator[RecentHistory]:
    if record is None:
        return
    counts = record.counters
    pending = counts["posted"] - counts["applied"] + counts["delayed"] + counts["dead"]
    if counts["posted"] > _LARGE and pending <= _PENDING:
        for records in _STRETCHES:
            yield RecentHistory(session, records=records)


def _is_known(history: RecentHistory, story: Story) -> bool:
    """Whether all was read that logs tell of a mail: who has sent it wrote down when, or all since it was made."""
    if story.posted is not None:
        return story.posted > history.handled_from()
    return ms_of(story.mail) / 1000 - SLACK_SECONDS > history.told_from()
