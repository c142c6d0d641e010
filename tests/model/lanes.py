"""Mail that failed: it waits in its sender's lane, and the lane waits until it is due."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["MOST_TRIES", "Lane", "Lanes", "deferred", "due", "next_due", "promoted_by_time", "trimmed", "without"]

MOST_TRIES = 3
"""Attempts are counted up to here; more make no difference to anybody."""


class Lane(NamedTuple):
    """The mails of one sender that wait to be tried again, as places of entries, and the attempts at the first."""

    sender: str
    mails: tuple[int, ...]
    due: bool = False
    tries: int = 0


Lanes = tuple[Lane, ...]
"""The lanes of a branch, in the order of their times."""


def due(lanes: Lanes) -> Lane | None:
    """The lane that has been due for longest."""
    return next((lane for lane in lanes if lane.due), None)


def next_due(lanes: Lanes) -> str:
    """Whose lane is due next, of those that are not due yet."""
    return next((lane.sender for lane in lanes if not lane.due), "")


def promoted_by_time(lanes: Lanes) -> Lanes:
    """Time passes until one more lane is due."""
    place = next(place for place, lane in enumerate(lanes) if not lane.due)
    return (*lanes[:place], lanes[place]._replace(due=True), *lanes[place + 1 :])


def deferred(lanes: Lanes, sender: str, place: int) -> Lanes:
    """A mail goes behind its sender's lane, which keeps its time; a new lane is due last."""
    for at, lane in enumerate(lanes):
        if lane.sender == sender:
            return (*lanes[:at], lane._replace(mails=(*lane.mails, place)), *lanes[at + 1 :])
    return (*lanes, Lane(sender, (place,), tries=1))


def trimmed(lanes: Lanes, sender: str, done: int, failed: int) -> Lanes:
    """The first mails of a lane are done; the next one has `failed` so often (0: it was not tried)."""
    (lane,) = (lane for lane in lanes if lane.sender == sender)
    others = tuple(lane for lane in lanes if lane.sender != sender)
    left = lane.mails[done:]
    if not left:
        return others
    if failed:
        return (*others, Lane(sender, left, tries=min(failed, MOST_TRIES)))
    if not done:
        return lanes
    # It is due now: behind those that are due already, before those that are not.
    at = sum(lane.due for lane in others)
    return (*others[:at], Lane(sender, left, due=True), *others[at:])


def without(lanes: Lanes, place: int) -> Lanes:
    """A mail is withdrawn: a lane without mail is none, and one whose head has gone is due now."""
    for at, lane in enumerate(lanes):
        if place in lane.mails:
            others = (*lanes[:at], *lanes[at + 1 :])
            left = tuple(one for one in lane.mails if one != place)
            if not left:
                return others
            if place != lane.mails[0]:
                return (*lanes[:at], lane._replace(mails=left), *lanes[at + 1 :])
            now = sum(one.due for one in others)
            return (*others[:now], Lane(lane.sender, left, due=True), *others[now:])
    return lanes
