"""Dead letters in groups, by what they died of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lion_broker.core.numbers import counted
from lion_broker.errors import ConfigError

from .dead_selection import LetterFilter, letter_records
from .listing import Column, Listing
from .printing import moment, since

if TYPE_CHECKING:
    from lion_broker.insight.dead_groups import Group
    from lion_broker.mail.exchange import Exchange

__all__ = ["group_listing"]

_COLUMNS: Final = (
    Column("group"),
    Column("letters", kind="number"),
    Column("reason"),
    Column("behaviour", kind="text", spare=2),
    Column("first", lambda row: since(row["first"]), kind="number", spare=4),
    Column("last", lambda row: since(row["last"]), kind="number", spare=1),
    Column("sessions", kind="number", spare=3),
    Column("error", kind="text"),
    Column("example", kind="text", wide=True),
)


def group_listing(exchange: Exchange, session: str | None, wanted: LetterFilter, limit: int | None) -> Listing:
    """List the groups of the letters that fit, the largest first. Raises ConfigError, ItemNotFoundError."""
    from lion_broker.insight.dead_groups import group_steps
    from lion_broker.mail.exchange import run

    if wanted.branch is not None:
        raise ConfigError("Groups are over all branches; leave --branch out, or list the letters without --group.")
    sessions = [record.id for record in letter_records(exchange, session)]
    found = run(exchange, group_steps(sessions, lambda letter: wanted.fits(letter, {})))
    rows = [_row(one) for one in found.groups]
    most = limit or len(rows)
    notes = [f"{counted(len(rows) - most, 'more group')}: --limit N."] if len(rows) > most else []
    notes += [f"Not shown: {counted(found.others, 'letter')} of further groups."] if found.others else []
    empty = "There are no dead letters." if wanted.is_everything else "No dead letter matches."
    return Listing(rows[:most], _COLUMNS, empty, " ".join(notes))


def _row(group: Group) -> dict[str, Any]:
    kind = group.kind
    return {
        "group": kind.id,
        "letters": group.count,
        "reason": kind.reason,
        "behaviour": kind.behaviour,
        "error": kind.error,
        "example": group.example,
        "first": moment(group.first),
        "last": moment(group.last),
        "sessions": group.touched,
        "session_ids": group.sessions,
    }
