"""What a shell offers for names that only the exchange knows; nothing is started for it, and nothing ever fails."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

import typer

from lion_broker.core.numbers import counted

if TYPE_CHECKING:
    from lion_broker.config import Settings
    from lion_broker.insight.views import WorkerView
    from lion_broker.mail.exchange import Exchange

__all__ = ["branches", "lost_workers", "pools", "reasons", "sessions", "versions", "workers"]

Offered = list[tuple[str, str]]
_MOST: Final = 100
_LIVE: Final = ("running", "draining")


def sessions(ctx: typer.Context, incomplete: str) -> Offered:
    """Offer names and ids of sessions."""
    return _offer(ctx, incomplete, _sessions)


def branches(ctx: typer.Context, incomplete: str) -> Offered:
    """Offer names of the branches of the session that was typed before."""
    return _offer(ctx, incomplete, _branches_of(ctx.params.get("session")))


def pools(ctx: typer.Context, incomplete: str) -> Offered:
    """Offer pools that have workers, or work."""
    return _offer(ctx, incomplete, _pools)


def reasons(ctx: typer.Context, incomplete: str) -> Offered:
    """Offer the reasons that dead letters have."""
    from lion_broker.insight.dead_reasons import MEANINGS

    return [(name, meaning) for name, meaning in MEANINGS.items() if name.startswith(incomplete)]


def workers(ctx: typer.Context, incomplete: str) -> Offered:
    """Offer workers that are at work."""
    return _offer(ctx, incomplete, _workers)


def lost_workers(ctx: typer.Context, incomplete: str) -> Offered:
    """Offer workers that were lost, or have stopped."""
    return _offer(ctx, incomplete, _lost)


def versions(ctx: typer.Context, incomplete: str) -> Offered:
    """Offer versions that workers have."""
    return _offer(ctx, incomplete, _versions)


def _offer(ctx: typer.Context, incomplete: str, find: Callable[[Exchange, str], Iterable[tuple[str, str]]]) -> Offered:
    from lion_broker.broker.connect import connect
    from lion_broker.config import Settings

    # A line in the log would stand in the middle of what is being typed.
    logging.disable(logging.CRITICAL)
    try:
        settings = Settings.load(url=ctx.params.get("url"), namespace=ctx.params.get("namespace"), patience=0.0)
        if not _runs(settings):
            return []
        with connect(settings=settings) as exchange:
            return [(name, help_) for name, help_ in find(exchange, incomplete) if name.startswith(incomplete)][:_MOST]
    except Exception:  # whatever it is, a person who presses a key is not to be told so
        return []
    finally:
        logging.disable(logging.NOTSET)


def _runs(settings: Settings) -> bool:
    """Whether a server runs already, as far as an embedded one is asked for."""
    from lion_broker.broker.server.directory import directory_of
    from lion_broker.broker.server.state import Answer, look, read_record

    url = settings.url or ""
    if url and not url.startswith("embedded:"):
        return True
    record = read_record(str(directory_of(url, settings.environ)))
    return record is not None and look(record.socket, 0.2) is Answer.READY


def _sessions(exchange: Exchange, incomplete: str) -> Iterable[tuple[str, str]]:
    from lion_broker.mail.verbs import ListSessions

    from .session_lookup import name_of, records_of

    found = [(one.id, name_of(one)) for one in records_of(exchange, exchange.call(ListSessions())[-_MOST:])]
    names = [name for _, name in found]
    # What several are called means none of them.
    yield from ((name, id_) for id_, name in found if name and names.count(name) == 1 and " " not in name)
    yield from ((id_, name) for id_, name in found)


def _branches_of(session: str | None) -> Callable[[Exchange, str], Iterable[tuple[str, str]]]:
    def find(exchange: Exchange, incomplete: str) -> Iterable[tuple[str, str]]:
        from lion_broker.mail.verbs import ReadBranches

        from .session_lookup import session_id

        branches = exchange.call(ReadBranches(session_id(exchange, session or ""), count=_MOST))
        return [(one.seed.name or one.id, one.seed.pool) for one in branches]

    return find


def _pools(exchange: Exchange, incomplete: str) -> Iterable[tuple[str, str]]:
    from lion_broker.insight.overview import pools_steps
    from lion_broker.mail.exchange import run

    return [(one.pool, f"{counted(one.workers, 'worker')}, {one.ready} ready") for one in run(exchange, pools_steps())]


def _workers(exchange: Exchange, incomplete: str) -> Iterable[tuple[str, str]]:
    return [(one.owner, f"{one.state} in {one.pool}") for one in _live(exchange)]


def _lost(exchange: Exchange, incomplete: str) -> Iterable[tuple[str, str]]:
    return [(one.owner, f"{one.state} in {one.pool}") for one in _known(exchange) if one.state not in _LIVE]


def _versions(exchange: Exchange, incomplete: str) -> Iterable[tuple[str, str]]:
    counts = Counter(one.version for one in _live(exchange))
    return [(version, counted(number, "worker")) for version, number in counts.items()]


def _live(exchange: Exchange) -> list[WorkerView]:
    return [one for one in _known(exchange) if one.state in _LIVE]


def _known(exchange: Exchange) -> tuple[WorkerView, ...]:
    from lion_broker.insight.overview import workers_steps
    from lion_broker.mail.exchange import run

    return run(exchange, workers_steps())
