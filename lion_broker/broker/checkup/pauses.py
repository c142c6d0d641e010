"""What of a namespace takes no turns until somebody resumes it, and whether it is counted right.

The functions count paused branches with what pauses and resumes them, so the number is right as long as they alone
write; a program of a version that did not count, or a hand on the server, can make it wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeVar

from lion_broker.broker.keys import Keys
from lion_broker.broker.requests import Command
from lion_broker.core.numbers import counted
from lion_broker.core.portable import readable
from lion_broker.mail.deployment import mark_of_pool

from .finding import Finding, Severity

__all__ = ["Announce", "Paused", "pause_findings", "pauses", "read_paused", "recount"]

_SHOWN: Final = 100
_MOST: Final = 20_000
"""How many sessions, and how many branches, are gone through at most."""
_PIECE: Final = 500

T = TypeVar("T")
Ask = Callable[[Sequence[Command]], Sequence[Any]]
"""Sends commands to the server and returns what it answers, an error among them as a value."""
Announce = Callable[[str, str], None]
"""Is told of a pool that is about to be changed, and how."""


class Paused(NamedTuple):
    """What a partition says: how many branches are paused, and why those that are made later are, each by pool."""

    counts: Mapping[str, int]
    reasons: Mapping[str, str]


def read_paused(ask: Ask, keys: Keys) -> list[Paused]:
    """Read what each partition says is paused; nothing of one that cannot be read."""
    return [_read(reply) for reply in ask([("HGETALL", keys.paused(one)) for one in range(keys.partitions)])]


def pause_findings(partitions: Sequence[Paused]) -> Iterator[Finding]:
    """Yield what takes no turns until somebody resumes it, by pool."""
    counts, reasons = Counter[str](), dict[str, str]()
    for paused in partitions:
        counts.update(paused.counts)
        reasons = {**paused.reasons, **reasons}
    for pool in sorted({*+counts, *reasons}):
        shown, number = readable(pool, _SHOWN), counts[pool]
        branches = counted(number, "branch")
        text = f"{branches} of the pool {shown} {'is' if number == 1 else 'are'} paused."
        if pool in reasons:
            why = readable(reasons[pool].removeprefix(mark_of_pool(pool)), _SHOWN)
            text = f"The pool {shown} is paused ({why}), with {branches}."
        yield Finding("pools", Severity.INFO, text, f"lion-broker branch resume --pool {shown}, when it is to go on")


def recount(ask: Ask, keys: Keys) -> list[Counter[str]] | None:
    """Go through the branches and count those that are paused, by partition and pool; None where there are too many.

    In pieces, and reading only.
    """
    partitions = range(keys.partitions)
    if sum(_numbers(ask([("ZCARD", keys.sessions(one)) for one in partitions]))) > _MOST:
        return None
    listed = ask([("ZRANGE", keys.sessions(one), 0, -1) for one in partitions])
    counts = [Counter[str]() for _ in partitions]
    seen = 0
    for sessions in _pieces([_text(one) for ids in listed if isinstance(ids, list) for one in ids]):
        open_ones = [f"{keys.session(one)}:branches" for one in sessions]
        seen += sum(_numbers(ask([("ZCOUNT", key, 0, "+inf") for key in open_ones])))
        if seen > _MOST:
            return None
        found = ask([("ZRANGEBYSCORE", key, 0, "+inf") for key in open_ones])
        named = [(one, ids) for one, ids in zip(sessions, found, strict=True) if isinstance(ids, list)]
        for branches in _pieces([(session, _text(one)) for session, ids in named for one in ids]):
            replies = ask([("HMGET", keys.branch(*one), "pool", "paused") for one in branches])
            for (session, _), reply in zip(branches, replies, strict=True):
                if isinstance(reply, list) and all(reply):
                    counts[keys.partition(session)][_text(reply[0])] += 1
    return counts


def pauses(ask: Ask, keys: Keys, repair: Announce | None = None) -> Iterator[Finding]:
    """Yield what is paused, and which pools have another number of paused branches than is told.

    With `repair` such a number is put right, after `repair` was told of which pool, and how. It is changed by the
    difference, so that what is paused and resumed at the same moment stays counted, and only when a second count of
    the branches has found the same: one that goes by while branches are counted may be in it or not.
    """
    told, found = read_paused(ask, keys), recount(ask, keys)
    still = read_paused(ask, keys)
    wrong = _miscounts(keys, told, found) if found is not None and told == still else []
    if repair is None or not wrong:
        yield from pause_findings(still)
        yield from (one.finding() for one in wrong)
        return
    if recount(ask, keys) != found or read_paused(ask, keys) != still:
        yield from pause_findings(still)
        yield from (one.finding("Nothing was changed: branches are paused or resumed just now.") for one in wrong)
        return
    done = [_repaired(ask, one, repair) for one in wrong]
    yield from pause_findings(read_paused(ask, keys))
    yield from done


class _Miscount(NamedTuple):
    """A pool with what is told of it and what is the case, and by how much to change the number of each partition."""

    pool: str
    told: int
    real: int
    changes: Sequence[tuple[str, int]]

    @property
    def shown(self) -> str:
        return readable(self.pool, _SHOWN)

    def finding(self, more: str = "") -> Finding:
        text = f"Counted as paused of the pool {self.shown}: {self.told:,}; it is {counted(self.real, 'branch')}."
        return Finding("pools", Severity.WARNING, f"{text} {more}".rstrip(), "lion-broker doctor --repair")


def _miscounts(keys: Keys, told: Sequence[Paused], found: Sequence[Mapping[str, int]]) -> list[_Miscount]:
    pools = {pool for paused, counts in zip(told, found, strict=True) for pool in (*paused.counts, *counts)}
    wrong = []
    for pool in sorted(pools):
        said = [paused.counts.get(pool, 0) for paused in told]
        real = [counts.get(pool, 0) for counts in found]
        numbers = enumerate(zip(said, real, strict=True))
        changes = [(keys.paused(partition), right - shown) for partition, (shown, right) in numbers if shown != right]
        if changes:
            wrong.append(_Miscount(pool, sum(said), sum(real), changes))
    return wrong


def _repaired(ask: Ask, wrong: _Miscount, repair: Announce) -> Finding:
    repair(wrong.pool, f"number of paused branches, {wrong.told} to {wrong.real}")
    for reply in ask([("HINCRBY", key, f"n:{wrong.pool}", by) for key, by in wrong.changes]):
        if isinstance(reply, Exception):
            text = f"Of the pool {wrong.shown} the number of paused branches cannot be put right ({reply})."
            fix = "allow the user +hincrby, or ask whoever keeps the server"
            return Finding("pools", Severity.ERROR, text, fix)
    real = counted(wrong.real, "branch")
    text = f"Counted as paused of the pool {wrong.shown}: {wrong.told:,}; it is {real}, and repaired."
    return Finding("pools", Severity.OK, text)


def _read(reply: Any) -> Paused:
    counts, reasons = dict[str, int](), dict[str, str]()
    flat = [_text(one) for one in reply] if isinstance(reply, list) else []
    for name, value in zip(flat[0::2], flat[1::2], strict=True):
        kind, _, pool = name.partition(":")
        if kind == "r":
            reasons[pool] = value
        elif value.removeprefix("-").isdecimal():
            counts[pool] = int(value)
    return Paused(counts, reasons)


def _numbers(replies: Sequence[Any]) -> Iterator[int]:
    return (one for one in replies if isinstance(one, int))


def _pieces(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    return (rows[at : at + _PIECE] for at in range(0, len(rows), _PIECE))


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
