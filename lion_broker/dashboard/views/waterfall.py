"""What happened to a mail as a waterfall: a row for it and each mail that it led to, bars over one axis of time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from lion_broker.dashboard.tables import Column, Empty, Row, Table
from lion_broker.dashboard.window import Window, round_steps
from lion_broker.insight.durations import duration
from lion_broker.insight.views import Passage, Span, Trace

__all__ = ["Bar", "Line", "Mark", "Waterfall", "draw_trace", "span_table"]

LEFT: Final = 300
RIGHT: Final = 76
BARS: Final = 624
_TOP: Final = 34
_ROW: Final = 44
_CALL: Final = 17
_MOST: Final = 200
_INDENT: Final = 16
_WORDS: Final = 90
_DEEPEST: Final = 8
_NOTHING: Final = 1e-6
"""How long that takes which has not happened yet, in seconds: an axis needs some length."""
NO_SPANS: Final = Empty("Nothing has happened to this mail yet: it waits for its branch.")


@dataclass(frozen=True, slots=True)
class Bar:
    """One span as drawn; `y` is that of its upper edge."""

    kind: str
    title: str
    x: float
    y: int
    width: float
    height: int
    error: str

    @property
    def failed(self) -> bool:
        """Whether something was raised."""
        return bool(self.error)

    @property
    def words(self) -> tuple[str, float]:
        """Where its error stands, and from where: behind it, or where there is no room at the end within or before."""
        end = self.x + self.width
        if end <= LEFT + BARS - _WORDS:
            return "behind", end + 5
        return ("within", end - 6) if self.width > _WORDS else ("before", self.x - 5)


@dataclass(frozen=True, slots=True)
class Line:
    """The row of a mail: how deep it is, who to whom, its bars, and where its words stand.

    `beyond` says of one without bars where they are: `earlier` or `later` than what is drawn.
    """

    passage: Passage
    indent: int
    who: str
    y: int
    height: int
    bars: tuple[Bar, ...]
    seconds: float
    beyond: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """A mark of the axis of time, so many seconds after the beginning."""

    x: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Waterfall:
    """A drawing in pixels; `left_out` mails that this one led to are not in it.

    `shown` is the part of `whole` that is drawn, both in seconds after the beginning.
    """

    width: int
    height: int
    lines: tuple[Line, ...]
    marks: tuple[Mark, ...]
    shown: Window
    whole: Window
    left_out: int

    @property
    def is_empty(self) -> bool:
        """Whether nothing has happened to the mail yet that has a length, and it has led to nothing."""
        return self.whole.seconds <= _NOTHING and len(self.lines) <= 1 and not any(line.bars for line in self.lines)

    @property
    def points(self) -> tuple[tuple[float, float], ...]:
        """Where the first and the last moment stand."""
        return (LEFT, self.shown.begin), (LEFT + BARS, self.shown.end)


def draw_trace(trace: Trace, names: Mapping[str, str], window: Window | None = None) -> Waterfall:
    """Lay out a trace, or what happened in a window of it, in seconds after its beginning."""
    rows = list(_rows(trace, 0))[:_MOST]
    begun = min((_begin(one) for one, _ in rows), default=0.0)
    ended = max((_end(one) for one, _ in rows), default=begun)
    whole = Window(0.0, max(ended - begun, _NOTHING))
    shown = window.within(whole) if window else whole
    axis = Window(begun + shown.begin, begun + shown.end)
    lines: list[Line] = []
    y = _TOP
    for one, depth in rows:
        line = _line(one, depth, names, axis, y)
        lines.append(line)
        y += line.height
    left_out = _left_out(trace) + max(0, sum(1 for _ in _rows(trace, 0)) - _MOST)
    marks = tuple(Mark(_x(begun + at, axis), at) for at in round_steps(shown))
    return Waterfall(LEFT + BARS + RIGHT, y + 10, tuple(lines), marks, shown, whole, left_out)


def span_table(trace: Trace | None, names: Mapping[str, str], note: str = "") -> Table:
    """The spans of a trace as a table; of none that is known yet, an empty one."""
    columns = (
        Column("mail", "Mail", "code"),
        Column("sender", "From"),
        Column("recipient", "To"),
        Column("kind", "Span"),
        Column("name", "Of what"),
        Column("began", "Began", "moment"),
        Column("seconds", "Took", "seconds"),
        Column("error", "Error", rare=True),
        Column("fields", "More", rare=True),
    )
    rows = [
        Row(
            {
                "mail": one.passage.mail,
                "sender": names.get(one.passage.sender, one.passage.sender),
                "recipient": names.get(one.passage.recipient, one.passage.recipient),
                "kind": span.kind,
                "name": span.name,
                "began": span.began,
                "seconds": round(span.seconds, 6),
                "error": span.error,
                "fields": _told(span.fields),
            }
        )
        for one, _ in (list(_rows(trace, 0))[:_MOST] if trace else ())
        for span in one.spans
    ]
    return Table("spans", "Spans", columns, rows, NO_SPANS, note=note, sorts=True)


def _rows(trace: Trace, depth: int) -> Iterator[tuple[Trace, int]]:
    yield trace, depth
    for one in trace.caused:
        yield from _rows(one, depth + 1)


def _left_out(trace: Trace) -> int:
    return trace.left_out + sum(_left_out(one) for one in trace.caused)


def _begin(trace: Trace) -> float:
    """When the first thing happened to a mail; when it was sent is by another clock, and only a stopgap."""
    known = [span.began for span in trace.spans] + [at for at in (trace.passage.delivered,) if at]
    return min(known, default=trace.passage.sent)


def _end(trace: Trace) -> float:
    known = [span.began + span.seconds for span in trace.spans]
    return max([*known, *(at for at in (trace.passage.applied,) if at)], default=_begin(trace))


def _line(trace: Trace, depth: int, names: Mapping[str, str], axis: Window, y: int) -> Line:
    """A mail's row: its stations in one strip, and below it the calls that were made in an attempt."""
    passage = trace.passage
    calls = [span for span in trace.spans if span.kind in ("model", "tool")]
    waits = [span for span in trace.spans if span.kind == "wait" and _is_inside(span, trace)]
    inner = sorted([*calls, *waits], key=lambda span: span.began)
    strip = [span for span in trace.spans if span not in inner]
    rows: list[float] = []
    bars = [_bar(span, axis, y + 8, 18) for span in strip if _is_seen(span, axis)]
    for span in inner:
        place = next((row for row, free in enumerate(rows) if free <= span.began + 1e-9), len(rows))
        if place == len(rows):
            rows.append(0.0)
        rows[place] = span.began + span.seconds
        if _is_seen(span, axis):
            bars.append(_bar(span, axis, y + 30 + place * _CALL, 13))
    who = f"{names.get(passage.sender, passage.sender)} → {names.get(passage.recipient, passage.recipient)}"
    indent = min(depth, _DEEPEST) * _INDENT
    height, seconds = _ROW + len(rows) * _CALL, _end(trace) - _begin(trace)
    beyond = "" if bars or not trace.spans else "earlier" if _end(trace) < axis.begin else "later"
    return Line(passage, indent, who, y, height, tuple(bars), seconds, beyond)


def _is_inside(span: Span, trace: Trace) -> bool:
    """Whether a wait was one in an attempt, for a limit, and not one between two of them."""
    return any(
        one.kind == "work" and one.began <= span.began and span.began + span.seconds <= one.began + one.seconds
        for one in trace.spans
    )


def _is_seen(span: Span, axis: Window) -> bool:
    return span.began <= axis.end and span.began + span.seconds >= axis.begin


def _x(moment: float, axis: Window) -> float:
    return round(LEFT + (moment - axis.begin) / axis.seconds * BARS, 1)


def _bar(span: Span, axis: Window, y: int, height: int) -> Bar:
    """A span as far as it is within the axis."""
    x = _x(max(span.began, axis.begin), axis)
    width = max(2.0, _x(min(span.began + span.seconds, axis.end), axis) - x)
    title = " ".join(filter(None, (span.kind, span.name)))
    more = ", ".join(filter(None, (span.error, _told(span.fields))))
    told = f"{title}: {duration(span.seconds)}" + (f" ({more})" if more else "")
    return Bar(span.kind, told, x, y, round(width, 1), height, span.error)


def _told(fields: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in fields.items())
