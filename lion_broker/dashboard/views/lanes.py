"""Mail by time as a drawing: a lane for each branch, time downwards, an arrow for each mail.

Time is squeezed: what follows at once stands close, long waits are short, and the order of everything is kept.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log2
from typing import Final

from lion_broker.dashboard.tables import Column, Empty, Order, Row, Table
from lion_broker.dashboard.window import Window, round_steps
from lion_broker.insight.views import Lanes, Passage

from .flow import NO_MAIL

__all__ = ["Chart", "Lane", "Post", "Tick", "draw_lanes", "last_moment", "mail_table", "moment_sent"]

NEWEST_FIRST: Final = Order("sent", descending=True)
_LEFT: Final = 96
_TOP: Final = 18
_WIDTH: Final = 868
_NARROWEST: Final = 112
_WIDEST: Final = 200
_MOST_LANES: Final = 24
_LEAST: Final = 5.0
_ROW: Final = 21.0
_LONGEST: Final = 46.0
_TICK: Final = 74.0
_APART: Final = 12.0
_LONGEST_NAME: Final = 14
_TO_SCALE: Final = 620.0
"""How high a window is drawn, in which time is even."""
_ASIDE: Final = 30.0
"""How far beyond a window what began before it, or ends after it, is drawn."""


@dataclass(frozen=True, slots=True)
class Lane:
    """A branch: its name in full and as drawn, and where its line stands."""

    branch: str
    name: str
    shown: str
    x: int


@dataclass(frozen=True, slots=True)
class Tick:
    """A moment at the side: where, and how long after the first one."""

    y: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Post:
    """A mail: from where it was sent to where it was delivered, then until it was begun and applied on its lane.

    `loop` is the path of a mail from a branch to itself, empty for others.
    """

    mail: str
    state: str
    category: str
    title: str
    x1: int
    y1: int
    x2: int
    y2: int
    begun: int | None
    ended: int | None
    loop: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing in pixels; `left_out` mails are to or from lanes that are not in it.

    `points` say where which moment stands, in order: (pixels, seconds since the epoch).
    """

    width: int
    height: int
    lanes: tuple[Lane, ...]
    lane_width: int
    ticks: tuple[Tick, ...]
    posts: tuple[Post, ...]
    points: tuple[tuple[float, float], ...]
    left_out: int = 0

    @property
    def shown(self) -> Window:
        """From the first moment that is drawn to the last one."""
        first, last = (self.points[0][1], self.points[-1][1]) if self.points else (0.0, 0.0)
        return Window(first, max(last, first + 1e-3))


def draw_lanes(lanes: Lanes, window: Window | None = None) -> Chart:
    """Lay out mails by time; the same mails give the same drawing. Within a window time is even, and not squeezed."""
    columns = _columns(lanes)
    shown = [one for one in lanes.passages if one.sender in columns and one.recipient in columns]
    first = min((moment_sent(one) for one in shown), default=0.0)
    if window is None:
        places = _squeezed(shown)
        points = _thinned(places)
        ticks = _ticks(places, first)
    else:
        places = _even(shown, window)
        points = ((_TOP, window.begin), (_TOP + _TO_SCALE, window.end))
        ticks = tuple(Tick(int(_y(at, window)), at - window.begin) for at in round_steps(window, window.begin))
    posts = tuple(_post(one, lanes.names, columns, places) for one in shown)
    height = int(points[-1][0] if points else _TOP) + 40
    lines = tuple(Lane(one, lanes.names[one], _cut(lanes.names[one]), x) for one, x in columns.items())
    wide = _lane_width(len(columns))
    left_out = len(lanes.passages) - len(shown)
    return Chart(_LEFT + len(columns) * wide, height, lines, wide, ticks, posts, points, left_out)


def mail_table(session: str, lanes: Lanes, following: str = "", note: str = "", empty: Empty = NO_MAIL) -> Table:
    """Mails with their way, newest first."""
    columns = (
        # Where it stands is what most come for, so a phone has it without a finger's move.
        Column("sent", "Sent", "moment"),
        Column("state", "State", "state"),
        Column("attempts", "Attempts", "number"),
        Column("sender", "From"),
        Column("recipient", "To"),
        Column("text", "It says"),
        Column("reason", "What went wrong", rare=True),
        Column("waited", "Waited", "seconds", "From its delivery until somebody began with it."),
        Column(
            "took", "Took", "seconds", "From then until its effect was committed; of one that is worked on, so far."
        ),
        Column("mail", "Mail", "code"),
        Column("category", "Category"),
        Column("owner", "Worker", "code"),
        Column("delivered", "Delivered", "moment", data_only=True),
        Column("applied", "Applied", "moment", data_only=True),
        Column("in_reply_to", "Sent while handling", "code", rare=True),
    )
    rows = [_row(session, one, lanes.names) for one in reversed(lanes.passages)]
    return Table("mails", "Mails", columns, rows, empty, following, note, sorts=True, natural=NEWEST_FIRST)


def _row(session: str, one: Passage, names: Mapping[str, str]) -> Row:
    values = {
        "sent": one.sent,
        "mail": one.mail,
        "sender": names.get(one.sender, one.sender),
        "recipient": names.get(one.recipient, one.recipient),
        "category": one.category,
        "state": one.state,
        "waited": one.waited,
        "took": one.took(time.time()),
        "attempts": one.attempts,
        "owner": one.owner,
        "text": one.text,
        "reason": one.reason,
        "delivered": one.delivered,
        "applied": one.applied,
        "in_reply_to": one.in_reply_to,
    }
    home = f"/sessions/{session}/trace?mail="
    here = home + one.mail
    links = {"sent": here, "mail": here} | ({"in_reply_to": home + one.in_reply_to} if one.in_reply_to else {})
    return Row(values, links, one.mail)


def _columns(lanes: Lanes) -> dict[str, int]:
    """Where the line of each branch stands, in the order in which they come up; of many those with most mail."""
    busy = Counter(end for one in lanes.passages for end in (one.sender, one.recipient))
    kept = {branch for branch, _ in busy.most_common(_MOST_LANES)}
    order = dict.fromkeys(end for one in lanes.passages for end in (one.sender, one.recipient) if end in kept)
    wide = _lane_width(len(order))
    return {branch: _LEFT + place * wide + wide // 2 for place, branch in enumerate(order)}


def _lane_width(lanes: int) -> int:
    return max(_NARROWEST, min(_WIDEST, _WIDTH // max(1, lanes)))


def moment_sent(one: Passage) -> float:
    """When a mail was sent; clocks differ, and nothing comes before it was sent."""
    return min(one.sent, *(at for at in (one.delivered, one.begun, one.applied) if at is not None), one.sent)


def last_moment(one: Passage) -> float:
    """The last moment at which something is known to have happened to a mail."""
    return max(at for at in (one.sent, one.delivered, one.begun, one.applied) if at is not None)


def _moments(passages: Sequence[Passage]) -> set[float]:
    known = {at for one in passages for at in (one.delivered, one.begun, one.applied) if at is not None}
    return known | {moment_sent(one) for one in passages}


def _even(passages: Sequence[Passage], window: Window) -> dict[float, float]:
    """Where each moment stands when time is even; what is beyond the window stands just beyond the drawing."""
    top, bottom = _TOP - _ASIDE, _TOP + _TO_SCALE + _ASIDE
    return {moment: min(max(_y(moment, window), top), bottom) for moment in _moments(passages)}


def _y(moment: float, window: Window) -> float:
    return _TOP + (moment - window.begin) / window.seconds * _TO_SCALE


def _squeezed(passages: Sequence[Passage]) -> dict[float, float]:
    """Where each moment stands: in order, with a row's height between two mails that are sent."""
    sends = {moment_sent(one) for one in passages}
    moments = _moments(passages)
    places: dict[float, float] = {}
    y, before, last_send = float(_TOP), None, -_ROW
    for moment in sorted(moments):
        if before is not None:
            y += min(_LONGEST, _LEAST + 9.0 * log2(1.0 + (moment - before) / 0.02))
        if moment in sends:
            y = max(y, last_send + _ROW)
            last_send = y
        places[moment], before = y, moment
    return places


def _thinned(places: Mapping[float, float]) -> tuple[tuple[float, float], ...]:
    """The first place, the last, and between them some that are apart: enough to tell a moment by its place."""
    kept: list[tuple[float, float]] = []
    for moment, y in places.items():
        if not kept or y - kept[-1][0] >= _APART:
            kept.append((round(y, 1), moment))
    if kept and (end := max(places)) > kept[-1][1]:
        kept.append((round(places[end], 1), end))
    return tuple(kept)


def _ticks(places: Mapping[float, float], first: float) -> tuple[Tick, ...]:
    ticks: list[Tick] = []
    for moment, y in places.items():
        if not ticks or y - ticks[-1].y >= _TICK:
            ticks.append(Tick(int(y), max(0.0, moment - first)))
    return tuple(ticks)


def _post(one: Passage, names: Mapping[str, str], columns: Mapping[str, int], places: Mapping[float, float]) -> Post:
    y1 = int(places[moment_sent(one)])
    y2 = y1 if one.delivered is None else max(y1, int(places[one.delivered]))
    begun = None if one.begun is None else max(y2, int(places[one.begun]))
    ended = None if one.applied is None else max(begun or y2, int(places[one.applied]))
    x1, x2 = columns[one.sender], columns[one.recipient]
    loop = "" if x1 != x2 else f"M{x1} {y1}h26v{max(8, y2 - y1)}h-20"
    aim = x2 - 6 if x2 > x1 else x2 + 6
    who = f"{names.get(one.sender, one.sender)} → {names.get(one.recipient, one.recipient)}"
    text = f": {one.text}" if one.text else ""
    why = f" ({one.reason})" if one.reason else ""
    title = f"{who}, {one.category}, {one.state}{why}{text}"
    return Post(one.mail, one.state, one.category, title, x1, y1, aim, y2, begun, ended, loop)


def _cut(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
