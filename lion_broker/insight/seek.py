"""Finds mail by a piece of its id, also where nobody knows its session, and lists the mail of many sessions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from lion_broker.errors import ConfigError, ItemNotFoundError
from lion_broker.mail.exchange import PAUSE, Steps, ask, ask_all
from lion_broker.mail.verbs import ListSessions, ReadBranches, ReadEvents, ReadSession

from .passages import Passages
from .pictures import Passage, Trace
from .trace import trace_of

__all__ = ["Found", "Sought", "find_mail_steps", "list_mails_steps", "lively_steps", "pieces"]

LEAST_END: Final = 4
"""So many characters of an id's end are needed to mean it."""
_LEAST_PIECE: Final = 6
"""So many characters of a mail's id are needed to look for it in all sessions."""
_SESSIONS: Final = 200
"""In so many sessions is looked, those first in which it is likely; each costs reading its logs."""
_FURTHER: Final = 20
"""In so many sessions more it is looked whether another mail is meant as well, or a copy has the same."""
_PAGE: Final = 200
_SLACK_MS: Final = 60_000
"""Clocks of senders differ from the server's."""
_UNDONE: Final = frozenset(("waiting", "working", "retrying", "delayed", "dead"))
"""States of mail that stands somewhere: where nothing stands, logs need not be read."""
_BRANCHES: Final = 1000


@dataclass(frozen=True, slots=True)
class Found:
    """A mail that was looked for: its session, what happened to it, and the names of the session's branches."""

    session: str
    trace: Trace
    names: dict[str, str]


@dataclass(frozen=True, slots=True)
class Sought:
    """Mails of many sessions, each with its session, by the time of sending; and the names of their branches.

    `left` is the number of sessions that were not looked at, because there were enough mails or too many sessions;
    `older` that of mails which are too old to be kept in mind, of sessions that were, and are not known to wait.
    """

    mails: tuple[tuple[str, Passage], ...]
    names: dict[str, str]
    left: int = 0
    older: int = 0


def pieces(ids: Sequence[str], text: str) -> list[str]:
    """Return those of some ids that a text means: it is one, begins some, or with four characters or more ends some."""
    piece = text.strip().strip("…").lower()
    if piece in ids:
        return [piece]
    begun = [] if text.startswith("…") else [one for one in ids if one.startswith(piece)]
    return begun or [one for one in ids if len(piece) >= LEAST_END and one.endswith(piece)]


def find_mail_steps(mail: str, session: str = "", depth: int = 10) -> Steps[Found]:
    """Find a mail by its id or a piece of it, in a session or in all, and read what happened to it.

    Without a session the likely ones are looked through first, those that were alive when the mail was made. Raises
    ItemNotFoundError when no mail is meant, or several of one session are; ConfigError for too short a piece.
    """
    wanted = mail.strip().strip("…").lower()
    if len(wanted) < (1 if session else _LEAST_PIECE):
        raise ConfigError(
            f"{mail:.40} is too short for a mail's id: give {_LEAST_PIECE} characters of it, or a session."
        )
    likely = (session,) if session else (yield from _likely_steps(wanted))
    found: Found | None = None
    further = _FURTHER
    for one in likely[:_SESSIONS]:
        other = yield from _in_session_steps(one, mail, wanted, depth, named=bool(session))
        if found is not None and other is not None:
            raise ItemNotFoundError(_several(wanted, found, other))
        found = found or other
        further -= found is not None
        if found is not None and further < 0:
            break
    if found is not None:
        return found
    where = f"in the session {session}" if session else f"in the {min(len(likely), _SESSIONS)} sessions looked at"
    raise ItemNotFoundError(f"There is no mail {wanted} {where}; `lion-broker mail ls` lists mail.")


def _several(wanted: str, first: Found, second: Found) -> str:
    mails = (first.trace.passage.mail, second.trace.passage.mail)
    if mails[0] == mails[1]:
        # A copy of a session has its mails with their ids.
        return f"The sessions {first.session} and {second.session} have the mail {mails[0]}: say which with --session."
    return f"Several mails are meant by {wanted}, {mails[0]} and {mails[1]} for example; give more of the id."


def _in_session_steps(session: str, mail: str, wanted: str, depth: int, *, named: bool) -> Steps[Found | None]:
    # What begins an id says from where on the logs are of interest; an end does not.
    passages = Passages(session, since=wanted if _begins(wanted) else "")
    try:
        yield from passages.read_steps()
    except ItemNotFoundError:
        if named:
            raise
        return None  # it was removed meanwhile
    history = passages.history
    meant = pieces(list(history.stories), mail)
    if len(meant) > 1:
        raise ItemNotFoundError(
            f"{len(meant)} mails of the session {session} are meant by {wanted}; say more of the id."
        )
    if not meant:
        return None
    names = {one: history.name_of(one) for one in history.names}
    return Found(session, trace_of(passages, meant[0], depth=depth), names)


def _likely_steps(wanted: str) -> Steps[tuple[str, ...]]:
    """All sessions, those first that were there and alive when a mail with such an id was made, the newest first."""
    ids = (yield from ask(ListSessions()))[::-1]
    if not _begins(wanted):
        return ids
    made, until = _ms_of(wanted), _ms_of(wanted, "f") + _SLACK_MS
    first: list[str] = []
    for place in range(0, len(ids), _PAGE):
        page = [one for one in ids[place : place + _PAGE] if _ms_of(one) <= until]
        tips = yield from ask_all([ReadEvents(one, "$") for one in page])
        first += [one for one, tip in zip(page, tips, strict=True) if _ended(tip) >= made - _SLACK_MS]
        if len(first) >= _SESSIONS:
            break
    rest = set(ids) - set(first)
    return (*first, *(one for one in ids if one in rest))


def _ended(tip: Sequence[object]) -> int:
    return int(str(getattr(tip[0], "id", "0-0")).partition("-")[0]) if tip else 0


def _begins(piece: str) -> bool:
    """Whether a piece of an id is the beginning of one: the dash stands where only a beginning has it."""
    return piece[8:9] == "-"


def _ms_of(piece: str, rest: str = "0") -> int:
    """When an id that begins so was made, in ms (RFC 9562, version 7), if `rest` follows; 0 for another id."""
    try:
        return int(piece.replace("-", "")[:12].ljust(12, rest), 16)
    except ValueError:
        return 0


def lively_steps(sessions: Sequence[str]) -> Steps[tuple[str, ...]]:
    """Put sessions into the order in which something happened in them last, the latest last."""
    ended: dict[str, int] = {}
    for first in range(0, len(sessions), _PAGE):
        page = sessions[first : first + _PAGE]
        tips = yield from ask_all([ReadEvents(one, "$") for one in page])
        ended |= {one: _ended(tip) for one, tip in zip(page, tips, strict=True)}
    # Of those that are alike the ones that were made later come later.
    return tuple(sorted(ended, key=ended.__getitem__))


def list_mails_steps(
    sessions: Sequence[str], fits: Callable[[Passage, dict[str, str]], bool], most: int, states: Sequence[str] = ()
) -> Steps[Sought]:
    """List the newest mails that fit, of sessions that are given with the most lively last.

    `states` are the only ones that are wanted, as `Passage` has them; where mail that is done is not, sessions in which
    nothing stands are not read. Sessions are read until there are `most` mails, and at most 200 of them.
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
            here = yield from _mails_of_steps(session)
            names |= here.names
            older += here.older
            mails += [
                (session, one) for _, one in here.mails if (not states or one.state in states) and fits(one, here.names)
            ]
    mails.sort(key=lambda pair: pair[1].mail)
    return Sought(tuple(mails[-most:]), names, len(left), older)


def _mails_of_steps(session: str) -> Steps[Sought]:
    """All mails of a session that are kept, with the names of its branches; none of one that was removed meanwhile."""
    passages = Passages(session)
    try:
        yield from passages.read_steps()
    except ItemNotFoundError:
        return Sought((), {})
    yield PAUSE
    history = passages.history
    names = {one: history.name_of(one) for one in history.names}
    return Sought(tuple((session, one) for one in passages.all()), names, older=history.left_out)


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
