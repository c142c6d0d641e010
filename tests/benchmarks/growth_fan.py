"""G2: one sender to many, many senders to one, and many sessions on one worker."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from lion_broker import Session
from lion_broker.mail.exchange import Exchange

from .growth import measured, settled
from .rig import Curve, Figure, Rig

MOST, QUICK = 10_000, 1_000
SESSIONS, QUICK_SESSIONS = 1_000, 100
POOL = "growth-fan"

Spread = Callable[[Exchange, int], list[Session]]


def growth_fan(rig: Rig, quick: bool) -> list[Figure | Curve]:
    """1, 100, 10,000 mails: fanned out, fanned in; and 10, 100, 1,000 sessions with a mail each."""
    most = QUICK if quick else MOST
    sizes, sessions = (1, most // 100, most), QUICK_SESSIONS if quick else SESSIONS
    found = _curves(rig, "fan-out", "recipients", _fan_out, sizes)
    found += _curves(rig, "fan-in", "senders", _fan_in, sizes)
    return found + _curves(rig, "a mail each", "sessions", _sessions, (sessions // 100, sessions // 10, sessions))


def _fan_out(exchange: Exchange, count: int) -> list[Session]:
    session = Session(exchange=exchange, delivery="auto")
    many = [session.new_branch(pool=POOL) for _ in range(count)]
    with _Clock.running, session.batch():
        for one in many:
            session.default_branch.send(one, "message", "hello")
    return [session]


def _fan_in(exchange: Exchange, count: int) -> list[Session]:
    session = Session(exchange=exchange, delivery="auto")
    centre = session.new_branch(pool=POOL)
    many = [session.new_branch(pool="nobody") for _ in range(count)]
    with _Clock.running, session.batch():
        for one in many:
            one.send(centre, "message", "hello")
    return [session]


def _sessions(exchange: Exchange, count: int) -> list[Session]:
    many = [Session(exchange=exchange, delivery="auto") for _ in range(count)]
    branches = [(session, session.new_branch(pool=POOL)) for session in many]
    with _Clock.running:
        for session, branch in branches:
            session.default_branch.send(branch, "message", "hello")
    return many


class _Clock:
    """Adds up the CPU time of what is sent inside it."""

    running: _Clock

    def __init__(self) -> None:
        self.seconds = 0.0

    def __enter__(self) -> None:
        self.seconds -= time.process_time()

    def __exit__(self, *raised: object) -> None:
        self.seconds += time.process_time()


def _curves(rig: Rig, work: str, x: str, spread: Spread, sizes: tuple[int, ...]) -> list[Figure | Curve]:
    rows: dict[int, tuple[float, ...]] = {}
    for size in sizes:
        exchange = rig.exchange()
        _Clock.running = clock = _Clock()
        sessions = spread(exchange, size)
        settled(rig)
        server = rig.server_cpu()
        cost: dict[str, Any] = measured(rig, "growth_worker", POOL, size)
        server = rig.server_cpu() - server
        each = (clock.seconds, cost["cpu"], server, cost["seconds"])
        rows[size] = tuple(value / size * 1e6 for value in each)
        for session in sessions:
            session.delete()
        exchange.close()

    def curve(place: int, what: str, y: str) -> Curve:
        goal = "flat or falling"
        return Curve("G2", f"{work}: {what}", x, y, tuple((n, row[place]) for n, row in rows.items()), goal)

    return [
        curve(0, "CPU of the sender", "µs/mail"),
        curve(1, "CPU of the worker", "µs/mail"),
        curve(2, "CPU of the server", "µs/mail"),
        curve(3, "drained in", "µs/mail"),
    ]
