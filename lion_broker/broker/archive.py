"""What an export reads. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from lion_broker.mail import verbs as v
from lion_broker.mail.records import Queue, Waiting

from .functions import Road, call
from .requests import Request

__all__ = ["ARCHIVE"]


def read_queue(road: Road, verb: v.ReadQueue) -> Request:
    """`read_queue.lua`."""

    def parse(replies: Sequence[Any]) -> tuple[Waiting, ...]:
        found = []
        for place, recipient, due, straight, *fields in replies[0]:
            home = recipient.decode("utf-8", "replace") if verb.queue == Queue.OUTBOX else verb.branch
            mail = road.codec.open_fields(fields, verb.session, home)
            found.append(Waiting(verb.queue, place.decode("utf-8", "replace"), mail, int(due or 0), straight == 1))
        return tuple(found)

    args = (verb.branch, verb.queue, verb.past, verb.count)
    return Request((call("read_queue", [road.keys.session(verb.session)], *args),), parse)


ARCHIVE: Final[Mapping[type[v.Verb[Any]], Callable[[Road, Any], Request]]] = {v.ReadQueue: read_queue}
