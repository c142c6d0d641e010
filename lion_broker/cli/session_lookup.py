"""Finds the session that a person means: by its id, a piece of it, its name, or as the newest one."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Final

import typer

from lion_broker.core.numbers import counted
from lion_broker.errors import ConfigError, ItemNotFoundError
from lion_broker.mail.naming import DEFAULT_BRANCH, default_of

from . import completion
from .printing import ago, cell

if TYPE_CHECKING:
    from lion_broker.mail.exchange import Exchange
    from lion_broker.mail.records import SessionRecord

__all__ = [
    "NEWEST",
    "Maybe",
    "One",
    "bare_defaults",
    "called",
    "name_of",
    "records_of",
    "session_id",
]

NEWEST: Final = "@"
"""What stands for the newest session."""
_PAGE: Final = 200
_NAMED: Final = 10_000
"""So many sessions, the newest, are asked for their names."""
_TOLD: Final = 5

One = Annotated[
    str,
    typer.Argument(
        metavar="SESSION",
        help="A session: its id, the beginning or end of it, its name, or @ for the newest one.",
        autocompletion=completion.sessions,
    ),
]
Maybe = Annotated[
    str | None,
    typer.Argument(
        metavar="[SESSION]",
        help="A session, by its id, a piece of it, its name, or @ for the newest. Default: all.",
        autocompletion=completion.sessions,
    ),
]


def called(exchange: Exchange, session: str, names: Mapping[str, str]) -> dict[str, str]:
    """Return names of branches for people: the one that stands for a session, mostly without a name, is `(default)`."""
    return {**names, **dict.fromkeys(bare_defaults(exchange, [session], names), DEFAULT_BRANCH)}


def bare_defaults(exchange: Exchange, sessions: Iterable[str], names: Mapping[str, str]) -> set[str]:
    """Return the branches that stand for sessions and have no name of their own among `names`."""
    defaults = {default for one in records_of(exchange, sorted(sessions)) if (default := default_of(one))}
    return {one for one in defaults if names.get(one, one) in ("", one)}


def session_id(exchange: Exchange, text: str) -> str:
    """Return the id of the session that a person means by a text.

    An id, the beginning or (from four characters on) the end of one, a name, or `@` for the newest session. Raises
    ItemNotFoundError when it means none or several, ConfigError for an empty text.
    """
    from lion_broker.mail.verbs import ListSessions

    wanted = text.strip()
    if not wanted:
        raise ConfigError("An empty text names no session; give its id, the beginning or end of it, its name, or @.")
    ids = exchange.call(ListSessions())
    found = _meant(exchange, ids, wanted)
    if len(found) > 1:
        raise ItemNotFoundError(_several(exchange, found, wanted))
    if not found:
        there = "`lion-broker session ls` lists them." if ids else "it has none yet."
        raise ItemNotFoundError(f"There is no session {wanted:.80} in the namespace at {exchange.url}; {there}")
    return found[0]


def records_of(exchange: Exchange, ids: Sequence[str]) -> Iterator[SessionRecord]:
    """Yield the records of sessions; one that was removed meanwhile is left out."""
    from lion_broker.mail.verbs import ReadSession

    for first in range(0, len(ids), _PAGE):
        answers = exchange.call_all([ReadSession(one) for one in ids[first : first + _PAGE]])
        yield from (record for record in answers if record is not None)


def name_of(record: SessionRecord) -> str:
    """Return the name of a session, empty when it has none."""
    from pydantic_core import from_json

    return str(from_json(record.fields.get("name", "null")) or "")


def _meant(exchange: Exchange, ids: Sequence[str], wanted: str) -> list[str]:
    from lion_broker.insight.id_parts import matching_ids

    if wanted == NEWEST:
        return list(ids[-1:])
    if begun := [one for one in ids if one.startswith(wanted.lower())]:
        return matching_ids(begun, wanted)
    named = [one.id for one in records_of(exchange, ids[-_NAMED:]) if name_of(one) == wanted]
    return named or matching_ids(ids, wanted)


def _several(exchange: Exchange, found: Sequence[str], wanted: str) -> str:
    """Say which they are, the newest first, so that the next attempt can be the right one."""
    newest = list(records_of(exchange, found[-_TOLD:]))[::-1]
    now = time.time()
    told = ", ".join(
        f"{one.id} ({cell(name_of(one))}, {ago(max(0.1, now - float(one.fields.get('created_at', now))))} old)"
        for one in newest
    )
    more = f" and {counted(len(found) - len(newest), 'older one')}" if len(found) > len(newest) else ""
    are = counted(len(found), "session is", "sessions are")
    return f"{are} meant by {wanted:.80}: {told}{more}. Give the whole id, or its last characters."
