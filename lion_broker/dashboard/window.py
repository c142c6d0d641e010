"""The stretch of time that a picture shows: asked for in the address, moved and narrowed by links."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import floor, isfinite, log10
from typing import Final

from starlette.requests import Request

from lion_broker.errors import ConfigError

from .asked import afresh

__all__ = ["Window", "Zoom", "round_steps", "window_asked", "zoom_of"]

_NARROWEST_SECONDS: Final = 1e-4
_DIGITS: Final = 6
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Window:
    """From a moment to a later one, in seconds."""

    begin: float
    end: float

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.end - self.begin

    def within(self, whole: Window) -> Window:
        """Return it moved into another, and cut where it is longer than that."""
        seconds = min(max(self.seconds, _NARROWEST_SECONDS), whole.seconds)
        begin = min(max(self.begin, whole.begin), whole.end - seconds)
        return Window(begin, begin + seconds)


@dataclass(frozen=True, slots=True)
class Zoom:
    """What is shown of a `whole`, the points that say where in the picture which moment is, and the links around it.

    A link is the query that shows something else, empty where there is nothing more to see that way. `way` is the
    direction of time: `x` or `y`.
    """

    shown: Window
    whole: Window
    points: Sequence[Point]
    way: str
    links: Mapping[str, str]

    @property
    def is_whole(self) -> bool:
        """Whether nothing was asked for but everything."""
        return not self.links["all"]


def window_asked(request: Request) -> Window | None:
    """Return the window that `?from=` and `?to=` name, in seconds; None without them. Raises ConfigError."""
    texts = [request.query_params.get(name, "") for name in ("from", "to")]
    if not any(texts):
        return None
    try:
        begin, end = map(float, texts)
    except ValueError:
        begin = end = 0.0
    if not (isfinite(begin) and isfinite(end) and begin < end):
        raise ConfigError("?from= and ?to= are both needed, in seconds, and ?from= is the smaller one.")
    return Window(begin, end)


def zoom_of(
    query: Mapping[str, str], shown: Window, whole: Window, points: Sequence[Point], way: str, *, asked: bool
) -> Zoom:
    """Work out the links around a picture; `asked` says that a part was asked for. Half of it stays in sight."""
    middle, seconds = (shown.begin + shown.end) / 2, shown.seconds
    near = _inner(points) if len(points) > 2 else Window(middle - seconds / 4, middle + seconds / 4)
    wanted = {
        "in": near.within(whole),
        "out": Window(middle - seconds, middle + seconds).within(whole),
        "earlier": Window(shown.begin - seconds / 2, shown.end - seconds / 2).within(whole),
        "later": Window(shown.begin + seconds / 2, shown.end + seconds / 2).within(whole),
    }
    links = {name: _query(query, one) if _differs(one, shown) else "" for name, one in wanted.items()}
    return Zoom(shown, whole, points, way, {**links, "all": _query(query, None) if asked else ""})


def _inner(points: Sequence[Point]) -> Window:
    """The moments of the middle half of a picture in which time is not even."""
    low, high = points[0][0], points[-1][0]
    first, last = (_moment(points, low + (high - low) * share) for share in (0.25, 0.75))
    return Window(first, max(last, first + _NARROWEST_SECONDS))


def _moment(points: Sequence[Point], place: float) -> float:
    """The moment at a place, between the two points around it."""
    for (here, at), (there, later) in pairwise(points):
        if place <= there:
            return at + (later - at) * ((place - here) / (there - here) if there > here else 0.0)
    return points[-1][1]


def _differs(one: Window, other: Window) -> bool:
    least = max(one.seconds, other.seconds) * 1e-3
    return abs(one.begin - other.begin) > least or abs(one.end - other.end) > least


def _query(query: Mapping[str, str], window: Window | None) -> str:
    if window is None:
        return afresh(query, **{"from": "", "to": ""})
    return afresh(query, **{"from": round(window.begin, _DIGITS), "to": round(window.end, _DIGITS)})


def round_steps(window: Window, origin: float = 0.0) -> list[float]:
    """Return round moments within a window, four to eight of them, counted from an origin."""
    rough = window.seconds / 5
    unit = 10.0 ** floor(log10(rough))
    step = next(factor * unit for factor in (1, 2, 5, 10) if factor * unit >= rough)
    first = -floor((origin - window.begin) / step)
    steps = [origin + number * step for number in range(first, first + 12)]
    return [one for one in steps if window.begin - step * 1e-6 <= one <= window.end + step * 1e-6]
