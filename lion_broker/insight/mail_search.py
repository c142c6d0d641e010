"""Finds mail by a piece of its id, also where nobody knows its session, and lists the mail of many sessions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from lion_broker.core.numbers import counted
from lion_broker.errors import ConfigError, ItemNotFoundError
from lion_broker.mail.exchange import PAUSE, Steps, ask, ask_all
from lion_broker.mail.verbs import ListSessions, ReadBranches, ReadEvents, ReadSession

from .id_parts import begins, matching_ids, ms_of
from .passages import Passages, time_of
from .read_depth import APART_SECONDS, SLACK_SECONDS, is_whole, mail_steps, newest_steps
from .recent import RecentHistory
from .trace import trace_of
from .views import Passage, Trace

__all__ = ["Found", "MailList", "find_mail_steps", "list_mails_steps", "lively_steps"]

_LEAST_PIECE: Final = 6
"""So many characters of a mail's id are needed to look for it in all sessions."""
_SESSIONS: Final = 200
"""In so many sessions is looked, those first in which it is likely; each costs reading its logs."""
_FURTHER: Final = 20
"""In so many sessions more it is looked whether another mail is meant as well, or a copy has the same."""
_PAGE: Final = 200
_SLACK_MS: Final = int(SLACK_SECONDS * 1000)
_UNDONE: Final = frozenset(("waiting", "working", "retrying", "delayed", "dead"))
"""States of mail that stands somewhere: where nothing stands, logs need not be read."""
_BRANCHES: Final = 1000
Fits = Callable[[Passage, dict[str, str]], bool]


@dataclass(frozen=True, slots=True)
class Found:
    """A mail that was looked for: its session, what happened to it, and the names of the session's branches."""

    session: str
    trace: Trace
    names: dict[str, str]


@dataclass(frozen=True, slots=True)
class MailList:
    """Mails of many sessions, each with its session, by the time of sending; and the names of their branches.

    `left` is the number of sessions that were not looked at, because there were enough mails or too many sessions;
    `older` that of mails which are too old to be kept in mind, of sessions that were, and are not known to wait.
    """

    mails: tuple[tuple[str, Passage], ...]
    names: dict[str, str]
    left: int = 0
    older: int = 0


def find_mail_steps(mail: str, session: str = "", depth: int = 10) -> Steps[Found]:
    """Find a mail by its id or a piece of it, in a session or in all, and read what happened to it.

    Without a session the likely ones are looked through first, those that were alive when the mail was made. Raises
    ItemNotFoundError when no mail is meant, or several of one session are; ConfigError for too short a piece.
    """
    wanted = mail.strip().strip("…").lower()
    if len(wanted) < (1 if session else _LEAST_PIECE):
        raise ConfigError(
            f"{mail[:40]!r} is too short for a mail's id: give {_LEAST_PIECE} characters of it, or a session."
        )
    if session:
        likely: tuple[str, ...] = (session,)
        found = yield from _in_session_steps(session, mail, wanted, depth, named=True)
    else:
        likely = yield from _likely_steps(wanted)
        found = yield from _anywhere_steps(likely, mail, wanted, depth, by_time=begins(wanted))
        if found is None and begins(wanted):
            # The clock of its sender may be far off, and then the beginning of its id says nothing.
            found = yield from _anywhere_steps(likely, mail, wanted, depth, by_time=False)
    if found is not None:
        return found
    where = (
        f"in the session {session}" if session else f"in {counted(min(len(likely), _SESSIONS), 'session')} looked at"
    )
    raise ItemNotFoundError(f"There is no mail {wanted} {where}; `lion-broker mail ls` lists mail.")


def _anywhere_steps(likely: Sequence[str], mail: str, wanted: str, depth: int, *, by_time: bool) -> Steps[Found | None]:
    found: Found | None = None
    further = _FURTHER
    for one in likely[:_SESSIONS]:
        other = yield from _in_session_steps(one, mail, wanted, depth, by_time=by_time)
        if found is not None and other is not None:
            raise ItemNotFoundError(_several(wanted, found, other))
        found = found or other
        further -= found is not None
        if found is not None and further < 0:
            break
    return found


def _several(wanted: str, first: Found, second: Found) -> str:
    mails = (first.trace.passage.mail, second.trace.passage.mail)
    if mails[0] == mails[1]:
        # A copy of a session has its mails with their ids.
        return f"The sessions {first.session} and {second.session} have the mail {mails[0]}: say which with --session."
    return f"Several mails are meant by {wanted}, {mails[0]} and {mails[1]} for example; give more of the id."


def _in_session_steps(
    session: str, mail: str, wanted: str, depth: int, *, named: bool = False, by_time: bool = False
) -> Steps[Found | None]:
    try:
        passages = yield from mail_steps(session, mail, by_time=by_time)
    except ItemNotFoundError:
        if named:
            raise
        return None  # it was removed meanwhile
    history = passages.history
    meant = matching_ids(list(history.stories), mail)
    if len(meant) > 1:
        raise ItemNotFoundError(
            f"{counted(len(meant), 'mail')} of the session {session} are meant by {wanted}; say more of the id."
        )
    if not meant:
        return None
    yield from passages.place_steps(meant)
    return Found(session, trace_of(passages, meant[0], depth=depth), _names_of(passages))


def _likely_steps(wanted: str) -> Steps[tuple[str, ...]]:
    """All sessions, those first that were there and alive when a mail with such an id was made, the newest first."""
    ids = (yield from ask(ListSessions()))[::-1]
    if not begins(wanted):
        return ids
    made, until = ms_of(wanted), ms_of(wanted, "f") + _SLACK_MS
    first: list[str] = []
    for place in range(0, len(ids), _PAGE):
        page = [one for one in ids[place : place + _PAGE] if ms_of(one) <= until]
        tips = yield from ask_all([ReadEvents(one, "$") for one in page])
        first += [one for one, tip in zip(page, tips, strict=True) if _ended(tip) >= made - _SLACK_MS]
        if len(first) >= _SESSIONS:
            break
    rest = set(ids) - set(first)
    return (*first, *(one for one in ids if one in rest))


def _ended(tip: Sequence[object]) -> int:
    return int(str(getattr(tip[0], "id", "0-0")).partition("-")[0]) if tip else 0


def lively_steps(sessions: Sequence[str]) -> Steps[tuple[str, ...]]:
    """Put sessions into the order in which something happened in them last, the latest last."""
    ended: dict[str, int] = {}
    for first in range(0, len(sessions), _PAGE):
        page = sessions[first : first + _PAGE]
        tips = yield from ask_all([ReadEvents(one, "$") for one in page])
        ended |= {one: _ended(tip) for one, tip in zip(page, tips, strict=True)}
    # Of those that are alike the ones that were made later come later.
    return tuple(sorted(ended, key=ended.__getitem__))


def list_mails_steps(sessions: Sequence[str], fits: Fits, most: int, states: Sequence[str] = ()) -> Steps[MailList]:
    """List the newest mails that fit, of sessions that are given with the most lively last.

    `states` are the only ones that are wanted, as `Passage` has them; where mail that is done is not, sessions in which
    nothing stands are not read. Sessions are read until there are `most` mails, and at most 200 of them; the logs of a
    large one from their ends, as far back as the newest `most` mails of it reach.
    """
    mails: list[tuple[str, Passage]] = []
    names: dict[str, str] = {}
    read = older = 0
    left = list(sessions)
    while left and len(mails) < most and read < _SESSIONS:
        page = [left.pop() for _ in range(min(_PAGE, len(left)))]
        chosen = page if not _UNDONE.issuperset(states) or not states else (yield from _standing_steps(page))
        for place, session in enumerate(chosen):
            if len(mails) >= most or read >= _SESSIONS:
                left += chosen[place:]
                break
            read += 1
            here = yield from _mails_of_steps(session, fits, most, states)
            names |= here.names
            older += here.older
            mails += here.mails
    mails.sort(key=lambda pair: pair[1].mail)
    return MailList(tuple(mails[-most:]), names, len(left), older)


def _mails_of_steps(session: str, fits: Fits, most: int, states: Sequence[str]) -> Steps[MailList]:
    """The newest `most` mails of a session that fit; none of one that was removed meanwhile."""

    def fitting(passages: Passages) -> list[Passage]:
        names = _names_of(passages)
        return passages.newest(lambda one: (not states or one.state in states) and fits(one, names), most)

    def enough(history: RecentHistory, passages: Passages) -> bool:
        since = history.told_from() if "gone" in states else history.handled_from()
        if states and _UNDONE.issuperset(states):
            # All that stands is known from where it stands; logs tell what has become of it until now.
            pending = (*passages.pending.waits, *passages.pending.dead)
            return all(time_of(mail) - APART_SECONDS > since for mail in pending)
        newest = fitting(passages)
        return len(newest) == most and time_of(newest[0].mail) - APART_SECONDS > since

    try:
        passages = yield from newest_steps(session, enough)
    except ItemNotFoundError:
        return MailList((), {})
    yield PAUSE
    yield from passages.place_steps(sorted(passages.history.stories)[-most:])
    mails = tuple((session, one) for one in fitting(passages))
    return MailList(mails, _names_of(passages), older=_older(passages) if is_whole(passages) else 0)


def _names_of(passages: Passages) -> dict[str, str]:
    history = passages.history
    return {one: history.name_of(one) for one in history.names}


def _older(passages: Passages) -> int:
    """How many mails were too old to be kept in mind: those that have gone, or were not begun to be kept."""
    history = passages.history
    if not history.left_out:
        return 0
    done = sum(story.done for story in history.stories.values())
    return max(history.left_out, history.edges.total() - done)


def _standing_steps(sessions: Sequence[str]) -> Steps[list[str]]:
    """Those of some sessions in which mail stands anywhere, or may."""
    records = yield from ask_all([ReadSession(one) for one in sessions])
    branches = yield from ask_all([ReadBranches(one, count=_BRANCHES) for one in sessions])
    homes = yield from ask_all([ReadBranches(one, (one,)) for one in sessions])
    return [
        record.id
        for record, page, home in zip(records, branches, homes, strict=True)
        if record is not None
        and (
            record.counters["dead"]
            or len(page) >= _BRANCHES
            # Nobody counts what a round has on its way.
            or record.fields.get("delivery") == "manual"
            or any(one.waiting + one.inbox + one.outbox + one.deferred + one.delayed for one in (*page, *home))
        )
    ]
