"""What happened to one mail: where it is, each attempt at it with its calls, and what it led to."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Final

from lion_broker.branch.turn_times import Attempt, End, delivered_at
from lion_broker.core.numbers import counted
from lion_broker.errors import ConfigError, ItemNotFoundError
from lion_broker.mail.exchange import Steps
from lion_broker.telemetry.acts import Act

from .history import Story
from .passages import Passages
from .pending import Waits
from .read_depth import mail_steps
from .views import WORKER_LOST, Span, Trace

__all__ = ["trace_of", "trace_steps"]

_DEPTH: Final = 10
_DEEPEST: Final = 100
_TRACES: Final = 200


def trace_steps(session: str, mail: str, *, depth: int = _DEPTH, most: int = _TRACES) -> Steps[Trace]:
    """Read what happened to a mail, given by its id or the beginning of it, and to the mails that it led to.

    Those are shown `depth` deep, and at most `most` of them. Raises ItemNotFoundError for a session or a mail that is
    not there, and when several mails begin so; ConfigError for an empty text.
    """
    wanted = _checked(mail)
    passages = yield from mail_steps(session, wanted)
    return trace_of(passages, wanted, depth=depth, most=most)


def trace_of(passages: Passages, mail: str, *, depth: int = _DEPTH, most: int = _TRACES) -> Trace:
    """Return what happened to a mail, of what was read already; see `trace_steps`."""
    wanted, history = _checked(mail), passages.history
    found = [one for one in history.stories if one.startswith(wanted)]
    if not found:
        raise ItemNotFoundError(
            f"There is no mail {wanted} in the session {history.session};"
            f" `lion-broker session trace {history.session}` lists the latest."
        )
    if len(found) > 1:
        raise ItemNotFoundError(f"{counted(len(found), 'mail')} begin with {wanted}; give more of the id.")
    return _Tracer(passages, depth, most).trace(history.stories[found[0]], 0)


def _checked(mail: str) -> str:
    wanted = mail.strip().lower()
    if not wanted:
        raise ConfigError("An empty text names no mail; give an id, or the beginning of one.")
    return wanted


class _Tracer:
    """Follows a mail to those that it led to, each once, as deep and as many as wanted."""

    def __init__(self, passages: Passages, depth: int, most: int) -> None:
        self._passages = passages
        self._caused = passages.history.caused_by()
        self._depth = min(depth, _DEEPEST)
        self._left = most
        self._seen: set[str] = set()

    def trace(self, story: Story, level: int) -> Trace:
        """The trace of a mail at some depth."""
        self._seen.add(story.mail)
        caused: list[Trace] = []
        left_out = 0
        for one in self._caused.get(story.mail, ()):
            # A mail that names itself, or two that name each other, were written by somebody else.
            if one.mail in self._seen:
                continue
            if level >= self._depth or self._left <= 0:
                left_out += 1
                continue
            self._left -= 1
            caused.append(self.trace(one, level + 1))
        return Trace(self._passages.of(story), tuple(self._spans(story)), tuple(caused), left_out)

    def _spans(self, story: Story) -> Iterator[Span]:
        free = story.delivered or story.posted
        if story.delivered and story.posted and story.delivered > story.posted:
            yield _span("wait", "on its way", story.posted, story.delivered)
        known = 0
        for attempt in story.attempts:
            if attempt.number <= known:
                known = 0  # a dead letter that was sent again is tried afresh
                if free is not None and (again := delivered_at(attempt.entry) or free) > free:
                    yield _span("wait", "as a dead letter", free, again)
                    free = again
            if attempt.number > known + 1:
                began = max(free or 0.0, story.free) or attempt.given
                yield _cut(known + 1, attempt.number - 1, began, attempt.given, story.tried)
            elif free is not None:
                yield _waited(known, free, attempt)
            yield _span("leased", "", attempt.given, attempt.begun)
            yield from _work(attempt)
            known, free = attempt.number, attempt.ended
        dead = None if story.done else self._passages.pending.dead.get(story.mail)
        if dead is not None and dead.attempts > known:
            # The last of its owners has not tried it any more, but given it up.
            yield _cut(known + 1, dead.attempts, free or dead.at, dead.at, dead.owners[:-1])
        waits = None if story.done else self._passages.pending.waits.get(story.mail)
        if waits is not None and waits.since is not None:
            yield from _going_on(waits, waits.since, known, free)
        if story.ended is not None and free is not None and story.attempts:
            yield _span("delivered", "", free, story.ended)
        elif free is not None and story.applied is not None:
            yield _span("queued", "", free, story.applied)


def _going_on(waits: Waits, since: float, known: int, free: float | None) -> Iterator[Span]:
    """The attempt that a worker is at, until now, and what was before it; its calls are told when it has ended."""
    number = max(known + 1, waits.attempts)
    if number > known + 1:
        yield _cut(known + 1, number - 1, free or since, since, waits.tried)
    elif free is not None:
        yield _span("wait" if known else "queued", f"for attempt {number}" if known else "", free, since)
    yield _span("work", f"attempt {number}", since, time.time(), fields={"goes_on": True})


def _cut(first: int, last: int, began: float, ended: float, tried: Sequence[str]) -> Span:
    """Attempts that left no record: from when they could begin until the mail was handed out again, or given up.

    What they have called is not known, but for the answers that the next attempt has taken over.
    """
    name = f"attempt {last}" if last == first else f"attempts {first} to {last}"
    fields: dict[str, object] = {"owners": list(tried[first - 1 - last :]), "calls": "unknown"}
    return _span("work", name, began, ended, WORKER_LOST, fields)


def _waited(known: int, free: float, attempt: Attempt) -> Span:
    if not known:
        return _span("queued", "", free, attempt.given)
    return _span("wait", f"for attempt {attempt.number}", free, attempt.given)


def _work(attempt: Attempt) -> Iterator[Span]:
    fields: dict[str, object] = {"end": str(attempt.end)} if attempt.end is not End.APPLIED else {}
    yield _span("work", f"attempt {attempt.number}", attempt.begun, attempt.ended, attempt.error, fields)
    yield from (_act(act) for act in sorted(attempt.acts, key=lambda act: act.began))


def _act(act: Act) -> Span:
    return Span(str(act.kind), act.name, act.began, act.seconds, act.error, dict(act.fields))


def _span(
    kind: str, name: str, began: float, ended: float, error: str = "", fields: dict[str, object] | None = None
) -> Span:
    # The clocks of a server and of a worker differ by a little; no bar is shorter than nothing.
    return Span(kind, name, began, max(0.0, ended - began), error, fields or {})
