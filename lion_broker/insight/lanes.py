"""Mail by time, a page of it: what a sequence diagram is drawn from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from lion_broker.errors import ConfigError
from lion_broker.mail.exchange import Steps

from .history import MOST
from .passages import Passages, time_of
from .read_depth import APART_SECONDS, newest_steps
from .recent import RecentHistory
from .views import Lanes, Passage

__all__ = ["lanes_of", "lanes_steps"]

_LARGEST: Final = MOST


def lanes_steps(
    session: str,
    *,
    branch: str = "",
    category: str = "",
    since: float | None = None,
    before: str = "",
    count: int = 200,
) -> Steps[Lanes]:
    """Read the newest `count` mails of a session; see `lanes_of`. Raises ItemNotFoundError, ConfigError."""

    def lanes(passages: Passages) -> Lanes:
        return lanes_of(passages, branch=branch, category=category, since=since, before=before, count=count)

    def enough(history: RecentHistory, passages: Passages) -> bool:
        found = lanes(passages)
        return found.more and time_of(found.passages[0].mail) - APART_SECONDS > history.handled_from()

    return lanes((yield from newest_steps(session, enough)))


def lanes_of(
    passages: Passages,
    *,
    branch: str = "",
    category: str = "",
    since: float | None = None,
    before: str = "",
    count: int = 200,
    only: Callable[[Passage], bool] | None = None,
) -> Lanes:
    """Return the newest `count` mails of what was read already, in the order of sending.

    Only those to or from `branch` (an id or a name), of a `category`, sent `since` a time (seconds since the epoch),
    of which `only` is true, and sent before the mail with the id `before`: the first of a page is what the page before
    it ends at. Raises ConfigError for a count that is none.
    """
    if not 0 < count <= _LARGEST:
        raise ConfigError(f"A page of mail has 1 to {_LARGEST:,} of them, not {count}.")
    names = {one: passages.history.name_of(one) for one in passages.history.names}
    wanted = {one for one, name in names.items() if branch in (one, name)} if branch else set()

    def fits(passage: Passage) -> bool:
        return (
            (not branch or passage.sender in wanted or passage.recipient in wanted)
            and (not category or passage.category == category)
            and (since is None or passage.sent >= since)
            and (not before or passage.mail < before)
            and (only is None or only(passage))
        )

    found = passages.newest(fits, count + 1)
    shown = tuple(found[-count:])
    ends = {end for one in shown for end in (one.sender, one.recipient)}
    return Lanes({end: names.get(end, end) for end in sorted(ends)}, shown, len(found) > count)
