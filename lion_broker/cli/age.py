"""How long a session has been idle, and what a person writes for it."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Final

from lion_broker.errors import ConfigError

if TYPE_CHECKING:
    from lion_broker.mail.exchange import Exchange

__all__ = ["idle_sessions", "seconds_of"]

_UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_PAGE: Final = 200


def seconds_of(text: str) -> float:
    """Return the seconds of an age such as 30d, 12h, 90m, 2w, 45s. Raises ConfigError."""
    found = re.fullmatch(r"(\d{1,6})([smhdw])", text.strip())
    if found is None:
        raise ConfigError(f"{text!r:.40} is no age; write a number and a unit: 30d, 12h, 90m, 2w, 45s.")
    return int(found[1]) * _UNITS[found[2]]


def idle_sessions(exchange: Exchange, seconds: float, with_mail: bool) -> list[str]:
    """Return the sessions in which nothing has happened for so long, and that nobody needs.

    A session is needed while a process holds one of its branches, and unless `with_mail` also while mail waits in it:
    nothing tells how long that has been there.
    """
    from lion_broker.mail.verbs import ListSessions, Promote, ReadEvents, ReadSession

    ids = exchange.call(ListSessions())
    # Promote says what time it is there; what is due goes on, as with any worker.
    now = exchange.call(Promote(session=ids[0], limit=1)).now / 1000 if ids else time.time()
    found = []
    for first in range(0, len(ids), _PAGE):
        page = ids[first : first + _PAGE]
        records = exchange.call_all([ReadSession(one) for one in page])
        tips = exchange.call_all([ReadEvents(one, "$") for one in page])
        for record, tip in zip(records, tips, strict=True):
            if record is None:
                continue
            created = float(record.fields.get("created_at", 0))
            touched = max(created, int(tip[0].id.partition("-")[0]) / 1000)
            if touched <= now - seconds and not _is_needed(exchange, record.id, with_mail):
                found.append(record.id)
    return found


def _is_needed(exchange: Exchange, session: str, with_mail: bool) -> bool:
    from lion_broker.mail.verbs import ReadBranches

    read, page = 0, exchange.call(ReadBranches(session, ids=(session,)))
    while page:
        for one in page:
            mail = one.waiting + one.inbox + one.outbox + one.deferred + one.delayed
            if one.leased or (mail and not with_mail):
                return True
        page = exchange.call(ReadBranches(session, start=read))
        read += len(page)
    return False
