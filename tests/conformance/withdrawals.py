"""How tests withdraw mail: what waits at a station, as it is named to be taken out."""

from __future__ import annotations

from typing import Any

from lion_broker.mail.answers import Withdrawn
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import Deferral
from lion_broker.mail.verbs import ReadWaiting, Withdraw
from lion_broker.mail.waiting import Waiting, WaitsAt, Withdrawal
from lion_broker.mail.wire import WireMail
from tests.conformance.road import Road

__all__ = ["GONE", "HELD", "at", "deferred", "first", "named", "withdraw", "words"]

GONE = Withdrawn(Outcome.UNKNOWN)
HELD = Withdrawn(Outcome.HELD)


def at(road: Road, where: WaitsAt, branch: str = "ada") -> tuple[Waiting, ...]:
    """What waits at a station of a branch."""
    return road.call(ReadWaiting(road.session, branch, where, count=1000))


def named(where: WaitsAt, *rows: Waiting, client: str = "") -> tuple[Withdrawal, ...]:
    """Rows as they are named to be withdrawn."""
    mails = [row.mail for row in rows]
    assert all(isinstance(mail, WireMail) for mail in mails)
    return tuple(
        Withdrawal(row.mail.id, where, row.place, row.lane, client) for row in rows if isinstance(row.mail, WireMail)
    )


def withdraw(road: Road, mails: tuple[Withdrawal, ...], branch: str = "ada", **options: Any) -> tuple[Withdrawn, ...]:
    """Withdraw mails of a branch."""
    return road.call(Withdraw(road.session, branch, mails, options.pop("detail", "By a test."), **options))


def words(answers: tuple[Withdrawn, ...]) -> list[Outcome]:
    """What became of each."""
    return [one.outcome for one in answers]


def first(road: Road, where: WaitsAt, count: int = 1, branch: str = "ada") -> tuple[Withdrawal, ...]:
    """The first mails of a station."""
    return named(where, *at(road, where, branch)[:count])


def deferred(road: Road, *items: object, pause_ms: int = 60_000, token: str = "t0") -> None:
    """Have mails from ben fail and wait in his lane, the first after two attempts."""
    road.say("ben", "ada", *items)
    stand = road.take("ada", token)
    lane = tuple(
        Deferral(entry.id, "ben", *((pause_ms, 2) if place == 0 else (0, 0)))
        for place, entry in enumerate(stand.entries)
    )
    # What is due at once would be handed out to the same owner.
    assert road.commit("ada", token, stand, deferred=lane, handled=0, batch=0).outcome is Outcome.DRAINED
